/** Goes on trying: what a lost connection, a busy server or an ended session interrupts is done later. */
import { ApiError, NetworkError } from "../api/client"

const longestWait = 15_000

/** So often in a row the server may fail for no reason that it gives. */
const mostFaults = 8

export type Waiting = "network" | "session" | undefined

export type PersistOptions = {
  signal: AbortSignal
  /** Resolves when there is a token that the server has not refused. */
  renewed: (signal: AbortSignal) => Promise<void>
  /** Told what is waited for, and when it is over. */
  waiting: (what: Waiting) => void
}

/** Calls until there is an answer that trying again would not change. */
export async function persist<T>(call: () => Promise<T>, options: PersistOptions): Promise<T> {
  const { signal } = options
  let waited = false
  let faults = 0
  for (let failures = 0; ; ) {
    signal.throwIfAborted()
    try {
      const result = await call()
      if (waited) options.waiting(undefined)
      return result
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        options.waiting("session")
        waited = true
        await options.renewed(signal)
      } else if (isPassing(error) && !(isFault(error) && ++faults > mostFaults)) {
        if (!isFault(error)) faults = 0
        failures++
        options.waiting("network")
        waited = true
        await backOff(failures, signal, error)
      } else {
        throw error
      }
    }
  }
}

/** Whether the same call may well succeed in a while. */
export function isPassing(error: unknown): boolean {
  if (error instanceof NetworkError) return true
  return error instanceof ApiError && [408, 425, 429, 500, 502, 503, 504].includes(error.status)
}

function isFault(error: unknown): boolean {
  return error instanceof ApiError && error.status === 500
}

/** Waits before another try, the longer the more have failed, or as long as the server asked for. */
export function backOff(failures: number, signal: AbortSignal, error?: unknown): Promise<void> {
  if (error instanceof ApiError && error.retryAfter) return pause(1000 * error.retryAfter, signal)
  const wait = Math.min(longestWait, 250 * 2 ** failures)
  // So that many clients of one server do not come back at the same instant.
  return pause(wait / 2 + (Math.random() * wait) / 2, signal)
}

/** Waits, but not longer than until the browser is online again. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (act: () => void) => () => {
      clearTimeout(timer)
      self.removeEventListener("online", wake)
      signal.removeEventListener("abort", stop)
      act()
    }
    const wake = done(resolve)
    const stop = done(() => reject(signal.reason))
    const timer = setTimeout(wake, milliseconds)
    self.addEventListener("online", wake)
    signal.addEventListener("abort", stop)
  })
}
