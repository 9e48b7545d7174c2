/** Why the agent refused something, by the problem's code. English readers see the agent's own words instead. */
export const problems = {
  bad_request: "What was asked for is not allowed.",
  not_found: "There is no such thing here.",
  conflict: "That cannot be done now.",
  unavailable: "The agent is too busy, or cannot store anything.",
  internal: "Something failed inside the agent.",
  unauthorized: "The link does not hold any more.",
  forbidden: "That belongs to somebody else.",
  too_large: "That is too much at once.",
  unknown: "The agent said no.",
};
