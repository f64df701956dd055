/** From what went wrong to the words that a person reads. */

import type { Problem } from "../../shared/problem"
import { ApiError, NetworkError } from "../api/client"
import { BundleError, SealError } from "../crypto/errors"

/** An error that says it in a person's words already. */
export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.title)
  }
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError"
}

const network: Problem = {
  title: "The server was not reached",
  message: "There was no answer from the server. Your files are as they were.",
  advice:
    "Check your connection. It is asked again by itself; if it stays away, tell its operator.",
  kind: "network",
}

const unexpected: Problem = {
  title: "That did not work",
  message: "Something went wrong in this page.",
  advice: "Try it again. If it happens once more, reload the page.",
  kind: "browser",
}

export const tampered: Problem = {
  title: "This is not what was backed up",
  message: "What the server sent was changed or damaged, so it was not opened. Nothing was saved.",
  advice: "Try another version of the file, and tell the server’s operator.",
  kind: "tampered",
}

export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem
  if (error instanceof NetworkError) return network
  if (error instanceof SealError) return tampered
  if (error instanceof BundleError) return bundleProblem(error)
  if (error instanceof ApiError) return apiProblem(error)
  if (error instanceof DOMException) return browserProblem(error)
  return unexpected
}

function bundleProblem(error: BundleError): Problem {
  if (error.reason === "passphrase") {
    return {
      title: "The keys do not open",
      message: "This is not the passphrase that they were locked with.",
      advice: "Check the passphrase and try again.",
      kind: "passphrase",
    }
  }
  return {
    title: "The keys do not open",
    message: "The file that holds your keys was changed or damaged.",
    advice: "Use your recovery file, and tell the server’s operator.",
    kind: "tampered",
  }
}

function browserProblem(error: DOMException): Problem {
  switch (error.name) {
    case "NotReadableError":
    case "NotFoundError":
      return {
        title: "The file could not be read",
        message: "It was changed, moved or removed since it was chosen.",
        advice: "Choose it once more.",
        kind: "input",
      }
    case "QuotaExceededError":
      return {
        title: "There is no room on this device",
        message: "The browser has no space left for the file.",
        advice: "Free some space on your disk, then try again.",
        kind: "space",
      }
    default:
      return unexpected
  }
}

function apiProblem(error: ApiError): Problem {
  switch (error.status) {
    case 401:
      return {
        title: "Please sign in again",
        message: "Your session has ended.",
        advice: "Type your passphrase again to go on.",
        kind: "session",
      }
    case 400:
    case 413:
      return {
        title: "The server does not take this",
        message: sentence(error.message, "It refused what was sent."),
        advice: "Change it and try again.",
        kind: "input",
      }
    case 403:
      return {
        title: "The server does not allow this",
        message: sentence(error.message, "It refused."),
        advice: "Check your passphrase and try again.",
        kind: "passphrase",
      }
    case 404:
      return {
        title: "It is not there any more",
        message: "The server does not have it, or it was removed.",
        advice: "Look at the list of files again.",
        kind: "conflict",
      }
    case 409:
      return {
        title: "That does not go with what the server has",
        message: sentence(error.message, "Something changed there since this page looked."),
        advice:
          "Look at the list again: another tab, device or program of your account may have been faster. Then try once more.",
        kind: "conflict",
      }
    case 429:
      return {
        title: "Too many tries",
        message: "The server wants a moment of peace.",
        advice: "Wait a minute, then try again.",
        kind: "server",
      }
    case 507:
      return {
        title: "The server is full",
        message: "The server has no room for this.",
        advice: "Delete old files or ask its operator for space, then try again.",
        kind: "space",
      }
    case 502:
    case 503:
    case 504:
      return {
        title: "The server was not reached",
        message: "The gateway answers, the server behind it does not. Nothing was changed.",
        advice: "It is asked again by itself; if it stays away, tell its operator.",
        kind: "network",
      }
    default:
      return {
        title: "The server had a problem",
        message: sentence(error.message, "It could not do what was asked."),
        advice: "Try again later.",
        kind: "server",
      }
  }
}

/** "filename: too long" becomes a sentence. */
function sentence(message: string, otherwise: string): string {
  if (!message) return otherwise
  const whole = message.slice(0, 1).toUpperCase() + message.slice(1)
  return /[.!?]$/.test(whole) ? whole : `${whole}.`
}
