import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { ApiError, NetworkError } from "../api/client"
import { type PersistOptions, persist, type Waiting } from "./persist"

let controller: AbortController
let waited: Waiting[]
let renewals: (() => void)[]
let options: PersistOptions
beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal("self", new EventTarget())
  controller = new AbortController()
  waited = []
  renewals = []
  options = {
    signal: controller.signal,
    renewed: () => new Promise((resolve) => renewals.push(resolve)),
    waiting: (what) => waited.push(what),
  }
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

/** A call that fails in these ways, one after the other, and then answers. */
function failing(...errors: Error[]) {
  const left = [...errors]
  return vi.fn(async () => {
    const error = left.shift()
    if (error) throw error
    return "answer"
  })
}

const lost = () => new NetworkError("no answer")
const status = (code: number, retryAfter?: number) => new ApiError(code, "", retryAfter)

test("an answer is an answer, and nobody waits", async () => {
  expect(await persist(failing(), options)).toBe("answer")
  expect(waited).toEqual([])
})

test("a lost connection is waited for, longer each time, and that is said", async () => {
  const at: number[] = []
  const call = failing(...Array.from({ length: 10 }, lost))
  const answer = persist(() => {
    at.push(Date.now())
    return call()
  }, options)
  await vi.advanceTimersByTimeAsync(200_000)
  expect(await answer).toBe("answer")
  const gaps = at.slice(1).map((time, i) => time - (at[i] as number))
  for (const [i, gap] of gaps.entries()) {
    const most = Math.min(15_000, 500 * 2 ** i)
    expect(gap).toBeGreaterThanOrEqual(most / 2 - 1)
    expect(gap).toBeLessThanOrEqual(most + 1)
  }
  expect(waited.at(0)).toBe("network")
  expect(waited.at(-1)).toBeUndefined()
})

test("a server that asks to be left alone is, for so long", async () => {
  const call = failing(status(503, 7))
  const answer = persist(call, options)
  await vi.advanceTimersByTimeAsync(6_900)
  expect(call).toHaveBeenCalledTimes(1)
  await vi.advanceTimersByTimeAsync(200)
  expect(await answer).toBe("answer")
})

test("when the browser is online again, nobody waits any longer", async () => {
  const call = failing(...Array.from({ length: 8 }, lost))
  const answer = persist(call, options)
  for (let i = 0; i < 8; i++) {
    await vi.advanceTimersByTimeAsync(0)
    self.dispatchEvent(new Event("online"))
  }
  expect(await answer).toBe("answer")
})

test("an ended session is waited for, and then the same is asked again", async () => {
  const call = failing(status(401))
  const answer = persist(call, options)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(call).toHaveBeenCalledTimes(1)
  expect(waited).toEqual(["session"])
  renewals[0]?.()
  expect(await answer).toBe("answer")
  expect(waited).toEqual(["session", undefined])
})

test.each([400, 403, 404, 409, 413, 507])("%i would not change by waiting", async (code) => {
  const call = failing(status(code))
  await expect(persist(call, options)).rejects.toMatchObject({ status: code })
  expect(call).toHaveBeenCalledTimes(1)
})

test.each([408, 425, 429, 502, 503, 504])("%i passes", async (code) => {
  const answer = persist(failing(status(code)), options)
  await vi.advanceTimersByTimeAsync(15_000)
  expect(await answer).toBe("answer")
})

test("a server that fails for no reason again and again is given up", async () => {
  const call = failing(...Array.from({ length: 20 }, () => status(500)))
  const answer = persist(call, options)
  const given = expect(answer).rejects.toMatchObject({ status: 500 })
  await vi.advanceTimersByTimeAsync(200_000)
  await given
  expect(call).toHaveBeenCalledTimes(9)
})

test("but not if it was only gone in between", async () => {
  const faults = Array.from({ length: 6 }, () => status(500))
  const answer = persist(failing(...faults, lost(), ...faults), options)
  await vi.advanceTimersByTimeAsync(300_000)
  expect(await answer).toBe("answer")
})

test("what is stopped while it waits ends at once, and is not tried again", async () => {
  const call = failing(...Array.from({ length: 5 }, lost))
  const answer = persist(call, options)
  const ended = expect(answer).rejects.toThrow("enough")
  await vi.advanceTimersByTimeAsync(0)
  controller.abort(new Error("enough"))
  await ended
  await vi.advanceTimersByTimeAsync(60_000)
  expect(call).toHaveBeenCalledTimes(1)
})

test("what is stopped before is not tried at all", async () => {
  controller.abort(new Error("enough"))
  const call = failing()
  await expect(persist(call, options)).rejects.toThrow("enough")
  expect(call).not.toHaveBeenCalled()
})
