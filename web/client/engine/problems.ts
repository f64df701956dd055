/** From what went wrong to the words that a person reads. */
import type { Problem } from "../../shared/problem"
import { type Failure, failureOf } from "../worker/failures"
import type { Note } from "../worker/protocol"

/** An error that says it in a person's words already. */
export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.title)
  }
}

const network: Problem = {
  title: "The server was not reached",
  message: "The server did not answer. Your files are unchanged.",
  advice:
    "Check your connection. The page tries again by itself. If this continues, contact the operator.",
  kind: "network",
}

const unexpected: Problem = {
  title: "That did not work",
  message: "Something went wrong in this page.",
  advice: "Try again. If it happens again, reload the page.",
  kind: "browser",
}

const tampered: Problem = {
  title: "This is not what was backed up",
  message: "What the server sent was changed or damaged, so it was not opened. Nothing was saved.",
  advice: "Try another version of the file, and contact the operator.",
  kind: "tampered",
}

const stopped: Problem = {
  title: "Stopped",
  message: "This was stopped.",
  advice: "You can start it again at any time.",
  kind: "input",
}

const noKeys: Problem = {
  title: "Please sign in",
  message: "Your keys are not open in this tab.",
  advice: "Sign in with your passphrase.",
  kind: "session",
}

const otherTab: Problem = {
  title: "Another tab has this file",
  message: "Another tab of this browser is sending it.",
  advice: "Use that tab, or close it and try again.",
  kind: "conflict",
}

const noWorker: Problem = {
  title: "The page is incomplete",
  message: "The part that encrypts could not be started.",
  advice: "Reload the page. If that does not help, use another browser.",
  kind: "browser",
}

const mismatch: Problem = {
  title: "The checksums differ",
  message: "The server received something other than what was sent, four times.",
  advice: "The connection or the server damages data. Contact the operator and try again later.",
  kind: "server",
}

const otherFile: Problem = {
  title: "The server answered with another file",
  message: "It is not the version in the file list. Nothing was saved.",
  advice: "Refresh the list. If it happens again, contact the operator.",
  kind: "tampered",
}

const notSealed: Problem = {
  title: "This file is not sealed",
  message:
    "It was not sealed with your keys, so the server or someone who can change its traffic could have made it. Nothing was saved.",
  advice: "Restore it only if you know that it was uploaded unsealed.",
  kind: "doubt",
}

const otherKey: Problem = {
  title: "This file is locked with another key",
  message: "It was backed up with keys that this browser does not have.",
  advice: "Open it with the client that made it, or bring the recovery file of those keys.",
  kind: "tampered",
}

export function problemOf(error: unknown): Problem {
  return error instanceof ProblemError ? error.problem : problemFor(failureOf(error))
}

function problemFor(failure: Failure): Problem {
  switch (failure.code) {
    case "network":
      return network
    case "refused":
      return refusal(failure.status, failure.message)
    case "bundle":
      return bundleProblem(failure.reason)
    case "other-account":
      return otherAccount(failure.found, failure.wanted)
    case "no-keys":
      return noKeys
    case "tampered":
      return tampered
    case "other-file":
      return otherFile
    case "other-key":
      return otherKey
    case "not-sealed":
      return notSealed
    case "mismatch":
      return mismatch
    case "other-tab":
      return otherTab
    case "stopped":
      return stopped
    case "no-worker":
      return noWorker
    case "browser":
      return browserProblem(failure.name)
    case "unexpected":
      return unexpected
  }
}

const notes: Record<Note, string | undefined> = {
  changed: "The file has changed, so it is sent from the start with a new key.",
  dropped: "The server no longer had the earlier packets, so the file is sent from the start.",
  waiting: "The server cannot be reached. This resumes by itself when it is back.",
  none: undefined,
}

/** The sentence for what happened on the way, if there is something to say. */
export function sentenceOf(note: Note): string | undefined {
  return notes[note]
}

function otherAccount(found: string, wanted: string): Problem {
  return {
    title: "These are the keys of another account",
    message: `The file holds the keys of ${found}, and you are signed in as ${wanted}.`,
    advice: "Choose the recovery file of this account.",
    kind: "input",
  }
}

function bundleProblem(reason: "passphrase" | "damaged"): Problem {
  if (reason === "passphrase") {
    return {
      title: "The keys do not open",
      message: "This is not the passphrase that protects them.",
      advice: "Check the passphrase and try again.",
      kind: "passphrase",
    }
  }
  return {
    title: "The keys do not open",
    message: "The file that holds your keys was changed or damaged.",
    advice: "Use your recovery file, and contact the operator.",
    kind: "tampered",
  }
}

function browserProblem(name: string): Problem {
  switch (name) {
    case "NotReadableError":
    case "NotFoundError":
      return {
        title: "The file could not be read",
        message: "It was changed, moved or deleted after you chose it.",
        advice: "Choose it again.",
        kind: "input",
      }
    case "QuotaExceededError":
      return {
        title: "This device is full",
        message: "The browser has no space left for the file.",
        advice: "Free some space on your disk, then try again.",
        kind: "space",
      }
    default:
      return unexpected
  }
}

function refusal(status: number, message: string): Problem {
  switch (status) {
    case 401:
      return {
        title: "Please sign in again",
        message: "Your session has ended.",
        advice: "Enter your passphrase to continue.",
        kind: "session",
      }
    case 400:
    case 413:
      return {
        title: "The server rejected this",
        message: sentence(message, "It rejected the request."),
        advice: "Change it and try again.",
        kind: "input",
      }
    case 403:
      return {
        title: "The server does not allow this",
        message: sentence(message, "It refused."),
        advice: "Check your passphrase and try again.",
        kind: "passphrase",
      }
    case 404:
      return {
        title: "It no longer exists",
        message: "The server does not have it, or it was deleted.",
        advice: "Refresh the file list.",
        kind: "conflict",
      }
    case 409:
      return {
        title: "This conflicts with what the server has",
        message: sentence(message, "Something changed on the server after this page loaded."),
        advice:
          "Another tab, device or program may have changed it. Refresh the list, then try again.",
        kind: "conflict",
      }
    case 429:
      return {
        title: "Too many attempts",
        message: "The server limits how often you can try.",
        advice: "Wait a minute, then try again.",
        kind: "server",
      }
    case 507:
      return {
        title: "The server is full",
        message: "The server has no space for this.",
        advice: "Delete old files or ask the operator for space, then try again.",
        kind: "space",
      }
    case 502:
    case 503:
    case 504:
      return {
        title: "The server was not reached",
        message: "The gateway answers, but the server behind it does not. Nothing was changed.",
        advice: "The page tries again by itself. If this continues, contact the operator.",
        kind: "network",
      }
    default:
      return {
        title: "The server had a problem",
        message: sentence(message, "It could not complete the request."),
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
