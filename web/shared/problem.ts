/** Something that went wrong, in words for a person: what happened, and what to do next. */
export type Problem = {
  title: string
  message: string
  advice: string
  kind:
    | "network"
    | "session"
    | "passphrase"
    | "tampered"
    | "space"
    | "conflict"
    | "input"
    | "server"
    | "browser"
    /** It may be right all the same: a person can say so. */
    | "doubt"
}

/** What to tell a person about an error that came from anywhere. */
export function toProblem(error: unknown): Problem {
  if (isProblem(error)) return error
  if (error instanceof Error && isProblem(error.cause)) return error.cause
  return {
    title: "That did not work",
    message: "Something went wrong in this page.",
    advice: "Try again. If it happens again, reload the page.",
    kind: "browser",
  }
}

function isProblem(value: unknown): value is Problem {
  return (
    typeof value === "object" &&
    value !== null &&
    "title" in value &&
    "message" in value &&
    "advice" in value &&
    "kind" in value
  )
}
