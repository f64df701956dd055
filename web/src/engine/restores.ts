/** The restores of this tab. */
import type { RestoreProgress } from "../worker/protocol"
import { problemOf } from "./problems"
import { Rate, secondsLeft } from "./rate"
import type { Remote } from "./remote"
import type { Download, FileEntry, Restore, Session } from "./types"
import { Watched } from "./watched"

/** Hands a file that was restored to the browser. */
export type HandOut = (content: Blob, entry: FileEntry) => void

export class LiveRestores extends Watched<readonly Download[]> implements Restore {
  private readonly rates = new Map<string, Rate>()
  private readonly cancelled = new Set<string>()

  constructor(
    private readonly remote: Remote,
    private readonly handOut: HandOut,
    session: Session,
  ) {
    super([])
    remote.onEvent((event) => {
      if (event.event === "restore") this.progress(event.id, event.progress)
    })
    session.subscribe(() => {
      if (session.getSnapshot().state === "signed-out") this.replace([])
    })
  }

  start = (entry: FileEntry, version?: number, sink?: FileSystemFileHandle): string => {
    const id = crypto.randomUUID()
    this.rates.set(id, new Rate())
    const download: Download = {
      id,
      name: entry.filename,
      size: entry.original_size,
      received: 0,
      state: "receiving",
      rate: 0,
    }
    // The last one that was begun stands first.
    this.replace([download, ...this.getSnapshot()])
    void this.run(id, { ...entry, version: version ?? entry.version }, sink)
    return id
  }

  cancel = (id: string) => {
    this.cancelled.add(id)
    void this.remote.ask("stopRestore", id)
    this.change(id, { state: "cancelled", rate: 0, secondsLeft: undefined })
  }

  dismiss = (id: string) => {
    this.replace(this.getSnapshot().filter((download) => download.id !== id))
  }

  private async run(id: string, file: FileEntry, sink: FileSystemFileHandle | undefined) {
    try {
      const { cksum, content } = await this.remote.ask("restore", { id, file, sink })
      if (this.cancelled.has(id)) return
      if (content) this.handOut(content, file)
      this.change(id, { state: "done", cksum, received: file.original_size, rate: 0 })
    } catch (error) {
      if (this.cancelled.has(id)) return
      this.change(id, { state: "failed", problem: problemOf(error), rate: 0 })
    } finally {
      this.rates.delete(id)
    }
  }

  private progress(id: string, progress: RestoreProgress) {
    const rate = this.rates.get(id)
    const download = this.getSnapshot().find((d) => d.id === id)
    if (!rate || !download || this.cancelled.has(id)) return
    if (progress.received !== undefined) rate.count(progress.received)
    const perSecond = rate.perSecond()
    this.change(id, {
      ...progress,
      rate: perSecond,
      secondsLeft: secondsLeft(download.size - (progress.received ?? download.received), perSecond),
    })
  }

  private change(id: string, change: Partial<Download>) {
    this.replace(this.getSnapshot().map((d) => (d.id === id ? { ...d, ...change } : d)))
  }
}
