/** What the server pushes: figures each second, activity at once. */
import { Watched } from "../../shared/watched"
import type { Activity, ScrubState, Stats, Transfer } from "../api/client"

export type Live = {
  /**
   * Live: figures come each second. Away: they do not, so what is shown is of
   * the past. Connecting: nothing has come yet, or not since the page was
   * looked at again.
   */
  state: "connecting" | "live" | "away"
  stats?: Stats
  /** Uploads under way; undefined until the server has spoken of them on this connection. */
  transfers?: readonly Transfer[]
  /** What has happened since the page was opened, the newest first, some at most. */
  activities: readonly Activity[]
  scrub?: ScrubState
}

/** Figures come each second. After so long without any, those on the page are of the past. */
const silence = 4_000
/** A connection that says nothing for so long is given up and made anew. */
const dead = 12_000
const retryAfter = 2_000
/** Activity is shown in bundles: a thousand small files a second would be a thousand drawings of the page. */
const bundle = 250
const kept = 100

export class LiveFeed extends Watched<Live> {
  private source: EventSource | undefined
  private heard = 0
  private watch: ReturnType<typeof setInterval> | undefined
  private retry: ReturnType<typeof setTimeout> | undefined
  private flush: ReturnType<typeof setTimeout> | undefined
  private fresh: Activity[] = []

  constructor(
    private readonly on: {
      /** The lists may have changed unseen: the connection was away, or missed something. */
      missed: () => void
      activities: (activities: readonly Activity[]) => void
      /** The server refuses the connection, perhaps because one is not signed in. */
      refused: () => void
    },
  ) {
    super({ state: "connecting", activities: [] })
  }

  start() {
    document.addEventListener("visibilitychange", this.look)
    this.look()
  }

  stop() {
    document.removeEventListener("visibilitychange", this.look)
    this.disconnect()
    this.replace({ state: "connecting", activities: [] })
  }

  /** A browser has few connections to a server for all its tabs: one that nobody looks at keeps none. */
  private look = () => {
    if (document.visibilityState === "hidden") {
      this.disconnect()
      this.change({ state: "connecting", transfers: undefined })
    } else if (!this.watch) {
      this.heard = Date.now()
      this.watch = setInterval(() => this.check(), 1_000)
      this.connect()
    }
  }

  private disconnect() {
    clearInterval(this.watch)
    clearTimeout(this.retry)
    clearTimeout(this.flush)
    this.source?.close()
    this.source = this.watch = this.retry = this.flush = undefined
    this.fresh = []
  }

  private connect() {
    this.retry = undefined
    const source = new EventSource("/api/events")
    this.source = source
    const on = <T>(name: string, take: (value: T) => void) =>
      source.addEventListener(name, (event) => {
        this.heard = Date.now()
        take(JSON.parse(event.data))
      })
    on<Stats>("stats", (stats) => this.arrived(stats))
    on<Activity>("activity", (activity) => this.happened(activity))
    on<{ transfers: Transfer[] }>("transfers", ({ transfers }) => this.change({ transfers }))
    on<ScrubState>("scrub", (scrub) => this.change({ scrub }))
    on("missed", () => this.on.missed())
    source.onerror = () => this.broken(source)
  }

  private arrived(stats: Stats) {
    const before = this.getSnapshot()
    const back = before.stats !== undefined && before.state !== "live"
    this.change({ state: "live", stats, scrub: stats.scrub })
    if (back) this.on.missed()
  }

  private happened(activity: Activity) {
    this.fresh.push(activity)
    this.flush ??= setTimeout(() => {
      const fresh = this.fresh.reverse()
      this.flush = undefined
      this.fresh = []
      this.change({ activities: [...fresh, ...this.getSnapshot().activities].slice(0, kept) })
      this.on.activities(fresh)
    }, bundle)
  }

  private broken(source: EventSource) {
    if (source !== this.source) return
    this.lost()
    // The browser connects again by itself, but not after an answer that was a refusal.
    if (source.readyState !== EventSource.CLOSED) return
    this.again(retryAfter)
    this.on.refused()
  }

  /** A network can go silent without a word, and a computer can sleep. */
  private check() {
    const since = Date.now() - this.heard
    if (since > silence) this.lost()
    if (since > dead && this.source) {
      this.heard = Date.now() - silence
      this.again(0)
    }
  }

  private again(after: number) {
    this.source?.close()
    this.source = undefined
    clearTimeout(this.retry)
    this.retry = setTimeout(() => this.connect(), after)
  }

  private lost() {
    if (this.getSnapshot().state === "away") return
    this.change({ state: "away", transfers: undefined })
  }

  private change(change: Partial<Live>) {
    this.replace({ ...this.getSnapshot(), ...change })
  }
}
