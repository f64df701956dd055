/** The restores of this tab. */

import { Watched } from "../../shared/watched"
import type { RestoreProgress } from "../worker/protocol"
import { ProblemError, problemOf } from "./problems"
import { Rate, secondsLeft } from "./rate"
import type { Remote } from "./remote"
import { doubtful } from "./seen"
import type { Download, FileEntry, Restore, Session } from "./types"

/** What is shown changes no more often than this, in milliseconds: each change costs a layout and a paint. */
const pace = 120

/** Hands a file that was restored to the browser. */
export type HandOut = (content: Blob, entry: FileEntry) => void

export class LiveRestores extends Watched<readonly Download[]> implements Restore {
  private readonly rates = new Map<string, Rate>()
  private readonly cancelled = new Set<string>()
  /** How far restores are, until it is time to show it. */
  private readonly progressed = new Map<string, RestoreProgress>()
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly remote: Remote,
    private readonly handOut: HandOut,
    session: Session,
    /** Told of what a person trusts though it was in doubt. */
    private readonly accept: (entry: FileEntry) => Promise<void> = async () => {},
  ) {
    super([])
    remote.onEvent((event) => {
      if (event.event === "restore") this.progress(event.id, event.progress)
    })
    session.subscribe(() => {
      if (session.getSnapshot().state === "signed-out") this.replace([])
    })
  }

  start = (
    entry: FileEntry,
    options: { sink?: FileSystemFileHandle; trusted?: boolean } = {},
  ): string => {
    const id = crypto.randomUUID()
    this.rates.set(id, new Rate())
    const download: Download = {
      id,
      entry,
      name: entry.filename,
      size: entry.original_size,
      received: 0,
      state: "receiving",
      rate: 0,
    }
    // The last one that was begun stands first.
    this.replace([download, ...this.getSnapshot()])
    void this.run(id, entry, options.sink, options.trusted ?? false)
    return id
  }

  cancel = (id: string) => {
    if (!this.rates.has(id)) return
    this.cancelled.add(id)
    void this.remote.ask("stopRestore", id).catch(() => {})
    this.finish(id, { state: "cancelled" })
  }

  dismiss = (id: string) => {
    this.replace(this.getSnapshot().filter((download) => download.id !== id))
  }

  private async run(
    id: string,
    file: FileEntry,
    sink: FileSystemFileHandle | undefined,
    trusted: boolean,
  ) {
    try {
      if (file.doubt && !trusted) throw new ProblemError(doubtful(file.doubt))
      const { cksum, content } = await this.remote.ask("restore", {
        id,
        file,
        sink,
        unsealed: trusted,
      })
      if (this.cancelled.has(id)) return
      if (file.doubt) await this.accept(file)
      if (content) this.handOut(content, file)
      this.finish(id, { state: "done", cksum, received: file.original_size })
    } catch (error) {
      if (this.cancelled.has(id)) return
      this.finish(id, { state: "failed", problem: problemOf(error) })
    } finally {
      this.cancelled.delete(id)
    }
  }

  private progress(id: string, progress: RestoreProgress) {
    if (!this.rates.has(id)) return
    this.progressed.set(id, { ...this.progressed.get(id), ...progress })
    this.timer ??= setTimeout(() => this.show(), pace)
  }

  private show() {
    this.timer = undefined
    for (const [id, progress] of this.progressed) {
      const rate = this.rates.get(id)
      const download = this.getSnapshot().find((d) => d.id === id)
      if (!rate || !download) continue
      const { received = download.received } = progress
      rate.count(received)
      const perSecond = rate.perSecond()
      this.change(id, {
        ...progress,
        rate: perSecond,
        secondsLeft: secondsLeft(download.size - received, perSecond),
      })
    }
    this.progressed.clear()
  }

  /** Whatever is heard of it after this comes late, and changes nothing. */
  private finish(id: string, change: Partial<Download>) {
    this.rates.delete(id)
    this.progressed.delete(id)
    this.change(id, { ...change, rate: 0, secondsLeft: undefined })
  }

  private change(id: string, change: Partial<Download>) {
    this.replace(this.getSnapshot().map((d) => (d.id === id ? { ...d, ...change } : d)))
  }
}
