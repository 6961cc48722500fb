/** What a conversation is known by: the id of the other person, or of the group. Pure. */

const PERSON = /^usr-[0-9a-f]{12}$/;
const GROUP = /^grp-[0-9a-f]{12}$/;

export function isGroupId(peerId) {
  return peerId.startsWith("grp-");
}

/** Whether a text of unknown origin, an address's fragment, can name a conversation of this user. */
export function isConversationKey(text, myId) {
  return GROUP.test(text) || (PERSON.test(text) && text !== myId);
}
