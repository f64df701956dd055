/**
 * Stands between browser and gateway. It records what goes by, can hold packets
 * back so that a test has time to do something in the middle of an upload, and
 * can change an answer as an attacker would.
 */
import { once } from "node:events"
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http"
import { type Readable, Transform, type TransformCallback } from "node:stream"

export type Tamper = (path: string, body: Buffer) => Buffer | undefined

export class Relay {
  /** Everything that went by, both ways: addresses, headers and bodies. */
  private recorded: Buffer[] | undefined
  private allowed = Number.POSITIVE_INFINITY
  private waiting: (() => void)[] = []
  private tamper: Tamper | undefined
  packets = 0

  private constructor(
    private readonly target: number,
    private readonly server = createServer(),
  ) {
    server.on("request", (req, res) => void this.relay(req, res))
  }

  static async start(target: number): Promise<Relay> {
    const relay = new Relay(target)
    relay.server.listen(0, "127.0.0.1")
    await once(relay.server, "listening")
    return relay
  }

  get port(): number {
    const address = this.server.address()
    if (address === null || typeof address === "string") throw new Error("the relay is closed")
    return address.port
  }

  async stop() {
    this.release()
    this.server.close()
    this.server.closeAllConnections()
    await once(this.server, "close")
  }

  record() {
    this.recorded = []
  }

  /** What went by since record. */
  recording(): Buffer {
    return Buffer.concat(this.recorded ?? [])
  }

  /** Lets so many packets pass from now on and holds those after them. */
  holdAfter(packets: number) {
    this.packets = 0
    this.allowed = packets
  }

  /** Lets all packets pass, those that wait as well. */
  release() {
    this.allowed = Number.POSITIVE_INFINITY
    for (const go of this.waiting.splice(0)) go()
  }

  get held(): number {
    return this.waiting.length
  }

  /** Changes the bodies of answers: the function returns another body, or nothing to leave it. */
  tamperWith(change: Tamper | undefined) {
    this.tamper = change
  }

  private async relay(req: IncomingMessage, res: ServerResponse) {
    const path = req.url ?? "/"
    this.note(`${req.method} ${path}\n${JSON.stringify(req.headers)}\n`)
    if (req.method === "PUT" && path.includes("/packets/")) {
      this.packets++
      if (this.packets > this.allowed) {
        await new Promise<void>((go) => this.waiting.push(go))
      }
    }
    const onward = request(
      {
        host: "127.0.0.1",
        port: this.target,
        method: req.method,
        path,
        headers: { ...req.headers, connection: "close" },
      },
      (answer) => void this.answer(path, answer, res),
    )
    onward.on("error", () => res.destroy())
    req.on("aborted", () => onward.destroy())
    this.watched(req).pipe(onward)
  }

  private async answer(path: string, answer: IncomingMessage, res: ServerResponse) {
    this.note(`${answer.statusCode}\n${JSON.stringify(answer.headers)}\n`)
    answer.on("error", () => res.destroy())
    if (!this.tamper) {
      res.writeHead(answer.statusCode ?? 502, answer.headers)
      this.watched(answer).pipe(res)
      return
    }
    const chunks: Buffer[] = []
    for await (const chunk of answer) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    res.writeHead(answer.statusCode ?? 502, answer.headers)
    res.end(this.tamper(path, body) ?? body)
  }

  private note(text: string) {
    this.recorded?.push(Buffer.from(text))
  }

  private watched(stream: Readable): Readable {
    const { recorded } = this
    if (!recorded) return stream
    return stream.pipe(
      new Transform({
        transform(chunk: Buffer, _encoding, done: TransformCallback) {
          recorded.push(chunk)
          done(null, chunk)
        },
      }),
    )
  }
}
