/** Why a message was not sent, in words for a person. */

const REASONS = {
  unknown_receiver: "This account does not exist any more.",
  forbidden: "This person does not receive messages from you.",
  content_too_long: "The message is too long.",
  conflict: "Another message was sent under the same number.",
  failed: "The server could not deliver it.",
  expired: "It could not be sent for over 7 days.",
  other_login: "It was written before you logged in again.",
};

export function reasonOf({ code, isWithdrawal }) {
  const reason = REASONS[code] ?? "The server did not take it.";
  return isWithdrawal ? `Not delivered. ${reason}` : `Not sent. ${reason}`;
}
