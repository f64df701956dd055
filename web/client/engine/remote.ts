/** The worker, as the page sees it. */
import { Failed } from "../worker/failures"
import type { Call, Reply, Tasks, WorkerEvent } from "../worker/protocol"

type Pending = { resolve: (result: unknown) => void; reject: (error: Failed) => void }

export class Remote {
  private readonly worker = new Worker(new URL("../worker/worker.ts", import.meta.url), {
    type: "module",
    name: "coffer",
  })
  private readonly pending = new Map<number, Pending>()
  private readonly listeners = new Set<(event: WorkerEvent) => void>()
  private calls = 0

  constructor() {
    this.worker.addEventListener("message", ({ data }: MessageEvent<Reply | WorkerEvent>) => {
      if ("event" in data) {
        for (const listener of this.listeners) listener(data)
        return
      }
      const call = this.pending.get(data.call)
      this.pending.delete(data.call)
      if (data.failure) call?.reject(new Failed(data.failure))
      else call?.resolve(data.result)
    })
    this.worker.addEventListener("error", () => {
      const error = new Failed({ code: "no-worker" })
      for (const call of this.pending.values()) call.reject(error)
      this.pending.clear()
    })
  }

  /** Has the worker do something. */
  ask<T extends keyof Tasks>(task: T, ...args: Parameters<Tasks[T]>): ReturnType<Tasks[T]> {
    const call = ++this.calls
    const result = new Promise((resolve, reject) => this.pending.set(call, { resolve, reject }))
    this.worker.postMessage({ call, task, args } satisfies Call)
    return result as ReturnType<Tasks[T]>
  }

  onEvent(listener: (event: WorkerEvent) => void) {
    this.listeners.add(listener)
  }
}
