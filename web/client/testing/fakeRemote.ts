/** A worker that does what a test says, when it says so. */
import type { Remote } from "../engine/remote"
import type { Tasks, WorkerEvent } from "../worker/protocol"

type Asked = {
  task: keyof Tasks
  /** Of the upload or the restore that it is about. */
  id: string
  args: unknown[]
  resolve: (result?: unknown) => void
  reject: (error: Error) => void
}

export class FakeRemote {
  readonly asked: Asked[] = []
  private readonly listeners = new Set<(event: WorkerEvent) => void>()

  /** As the engine takes it. */
  get remote(): Remote {
    return this as unknown as Remote
  }

  ask(task: keyof Tasks, ...args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const [first] = args
      const id = typeof first === "string" ? first : ((first as { id?: string })?.id ?? "")
      this.asked.push({ task, id, args, resolve, reject })
    })
  }

  onEvent(listener: (event: WorkerEvent) => void) {
    this.listeners.add(listener)
  }

  emit(event: WorkerEvent) {
    for (const listener of this.listeners) listener(event)
  }

  /** The ids of what was asked of a task, in order. */
  ids(task: keyof Tasks): string[] {
    return this.asked.filter((asked) => asked.task === task).map(({ id }) => id)
  }

  /** The last time that a task was asked for, of one upload or restore if an id is given. */
  last(task: keyof Tasks, id?: string): Asked {
    const found = this.asked.filter((a) => a.task === task && (id ?? a.id) === a.id).at(-1)
    if (!found) throw new Error(`${task} was not asked for`)
    return found
  }
}
