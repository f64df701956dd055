import { useCallback, useRef, useState } from "react"
import type { Problem } from "../problem"
import { toProblem } from "../problem"

/** Something that a person sets off: whether it runs, and what went wrong. A second press while it runs does nothing. */
export function useAction(action: () => Promise<unknown>) {
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const running = useRef(false)
  const latest = useRef(action)
  latest.current = action

  const run = useCallback(async () => {
    if (running.current) return
    running.current = true
    setBusy(true)
    setProblem(undefined)
    try {
      await latest.current()
    } catch (error) {
      setProblem(toProblem(error))
    } finally {
      running.current = false
      setBusy(false)
    }
  }, [])

  return { run, busy, problem, clear: useCallback(() => setProblem(undefined), []) }
}
