/** A server in memory, for tests of pages: what fetch and EventSource reach. */
import { vi } from "vitest"
import type { Activity, ClientOfServer, Setting, Stats, Storage, Transfer } from "../api/client"

type Handler = (call: Call) => unknown

/** A call that a page made. */
export type Call = { method: string; path: string; query: URLSearchParams; body: unknown }

/** What a handler returns to refuse. */
export class Refusal {
  constructor(
    readonly status: number,
    readonly detail: string,
    readonly field?: string,
  ) {}
}

export class FakeServer {
  /** Calls that change something, and the headers that they must bear. */
  readonly changes: string[] = []
  readonly sources: FakeEventSource[] = []
  signedIn = true
  away = false
  private readonly handlers = new Map<string, Handler>()

  constructor() {
    this.on("GET /api/session", () => undefined)
    this.on("GET /api/history", () => ({ window: "hour", step_seconds: 10, samples: [] }))
    this.on("GET /api/activities", () => ({ activities: [] }))
    this.on("GET /api/transfers", () => ({ transfers: [], ended: [] }))
    this.on("GET /api/backups", () => ({ backups: [] }))
    this.on("GET /api/logs", () => ({ records: [] }))
    this.on("GET /api/failures", () => ({ failures: [] }))
    vi.stubGlobal("fetch", (request: Request) => this.fetch(request))
    const sources = this.sources
    vi.stubGlobal(
      "EventSource",
      class extends FakeEventSource {
        constructor(url: string) {
          super(url)
          sources.push(this)
        }
      },
    )
  }

  /** Answers calls like "GET /api/clients" from now on. */
  on(call: string, handler: Handler): this {
    this.handlers.set(call, handler)
    return this
  }

  /** The connection of the page's own that events go over. */
  get events(): FakeEventSource {
    const source = this.sources.findLast((source) => source.url === "/api/events")
    if (!source) throw new Error("The page follows no events.")
    return source
  }

  private async fetch(request: Request): Promise<Response> {
    if (this.away) throw new TypeError("Failed to fetch")
    const { pathname, searchParams } = new URL(request.url)
    const text = await request.text()
    const body = text === "" ? undefined : JSON.parse(text)
    if (request.method !== "GET") {
      const guarded =
        body === undefined
          ? request.headers.get("X-Coffer-Console") === "1"
          : request.headers.get("Content-Type") === "application/json"
      if (!guarded) return problem(new Refusal(403, "another page may have sent this"))
      const what = text || searchParams.toString()
      this.changes.push(`${request.method} ${pathname}${what && ` ${what}`}`)
    }
    if (!this.signedIn && !(request.method === "POST" && pathname === "/api/session")) {
      return problem(new Refusal(401, "there is no session"))
    }
    const handler = this.handlers.get(`${request.method} ${pathname}`)
    if (!handler) return problem(new Refusal(404, `nothing is at ${pathname}`))
    const answer = handler({ method: request.method, path: pathname, query: searchParams, body })
    if (answer instanceof Refusal) return problem(answer)
    return answer === undefined ? new Response(null, { status: 204 }) : Response.json(answer)
  }
}

function problem({ status, detail, field }: Refusal): Response {
  return new Response(JSON.stringify({ title: "Refused", status, detail, field }), {
    status,
    headers: { "Content-Type": "application/problem+json" },
  })
}

export class FakeEventSource extends EventTarget {
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static readonly CLOSED = 2
  readyState = FakeEventSource.CONNECTING
  onerror: (() => void) | undefined
  onopen: (() => void) | undefined

  constructor(readonly url: string) {
    super()
  }

  send(name: string, value: unknown) {
    this.readyState = FakeEventSource.OPEN
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(value) }))
  }

  /** The connection breaks; the browser tries again by itself. */
  break() {
    this.readyState = FakeEventSource.CONNECTING
    this.onerror?.()
  }

  /** The server refuses the connection; the browser gives up. */
  refuse() {
    this.readyState = FakeEventSource.CLOSED
    this.onerror?.()
  }

  close() {
    this.readyState = FakeEventSource.CLOSED
  }
}

const start = "2026-11-25T08:00:00Z"

export function someStats(change: Partial<Stats> = {}): Stats {
  return {
    at: new Date().toISOString(),
    started: start,
    uptime_seconds: 7_500,
    version: "v1.2.3",
    listen: "127.0.0.1:1256",
    tls: false,
    database: "operational",
    storage: "operational",
    closing: false,
    registration_open: true,
    connections: 3,
    gateways: 1,
    connected: 3,
    sessions: 2,
    suspended: 0,
    uploads: 0,
    clients: 12,
    files: 40,
    versions: 100,
    verified: 99,
    bytes: 5_000_000,
    bytes_received: 6_000_000,
    bytes_sent: 1_000_000,
    requests: 1_234,
    failures: 5,
    receive_rate: 2_000_000,
    send_rate: 0,
    request_rate: 17,
    failure_rate: 0,
    disk_total: 100_000_000,
    disk_free: 60_000_000,
    scrub: noScrub,
    ...change,
  }
}

export const noScrub: Storage["scrub"] = {
  running: false,
  scheduled: false,
  collect: false,
  done_bytes: 0,
  total_bytes: 0,
  versions: 0,
  rate: 0,
  rate_limit: 32 << 20,
  findings: 0,
}

export function someClient(name: string, change: Partial<ClientOfServer> = {}): ClientOfServer {
  return {
    name,
    fingerprint: "9f86d081",
    kind: "cpp_client",
    created: start,
    last_seen: start,
    suspended: false,
    base_open: true,
    session: true,
    uploads: 0,
    key_bits: 1024,
    key_kind: "RSA",
    oaep_hash: "sha1",
    files: 2,
    versions: 3,
    verified: 3,
    bytes: 3_000,
    ...change,
  }
}

export function someActivity(id: number, change: Partial<Activity> = {}): Activity {
  return { id, at: start, kind: "upload", outcome: "ok", ...change }
}

export function someTransfer(file: string, change: Partial<Transfer> = {}): Transfer {
  return {
    id: "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    client: { name: "ada", fingerprint: "9f86d081" },
    file,
    state: "receiving",
    bytes: 250,
    total_bytes: 1_000,
    packets: 1,
    total_packets: 4,
    missing: 3,
    started: start,
    changed: start,
    expires: start,
    rate: 100,
    seconds_left: 7.5,
    attempts_left: 3,
    format: "sealed_file",
    ...change,
  }
}

export function someStorage(change: Partial<Storage> = {}): Storage {
  return {
    state: "operational",
    disk_total: 100_000_000,
    disk_free: 60_000_000,
    min_free: 1_000_000,
    files: 40,
    versions: 100,
    verified: 99,
    unverified: 1,
    bytes: 5_000_000,
    unfinished: 0,
    unfinished_bytes: 0,
    dropped: [],
    largest: [someClient("ada")],
    scrub: noScrub,
    ...change,
  }
}

export function someSetting(name: string, change: Partial<Setting> = {}): Setting {
  return {
    name,
    variable: `COFFER_${name.toUpperCase().replaceAll("-", "_")}`,
    help: "what it does",
    value: "10m",
    configured: "10m",
    origin: "default",
    secret: false,
    changeable: true,
    kind: "duration",
    ...change,
  }
}
