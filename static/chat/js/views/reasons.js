/** Why a message was not sent, in words for a person. */

const REASONS = {
  unknown_receiver: "This account does not exist any more.",
  forbidden: "This person does not receive messages from you.",
  not_a_member: "You are not a member of this group.",
  content_too_long: "The message is too long.",
  conflict: "Another message was sent under the same number.",
  failed: "The server could not deliver it.",
  expired: "It could not be sent for over 7 days.",
  other_login: "It was written before you logged in again.",
};

const REASONS_IN_GROUPS = { ...REASONS, forbidden: "You may not write in this group." };

/** @param {{code: string, isWithdrawal: boolean}} error */
export function reasonOf({ code, isWithdrawal }, isInGroup) {
  const reason = (isInGroup ? REASONS_IN_GROUPS : REASONS)[code] ?? "The server did not take it.";
  return isWithdrawal ? `Not delivered. ${reason}` : `Not sent. ${reason}`;
}
