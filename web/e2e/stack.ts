/** A core and a gateway of a test's own: the real programs, free ports, a folder that goes afterwards. */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { randomInt } from "node:crypto"
import { once } from "node:events"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { Relay } from "./relay"

const bin = resolve(import.meta.dirname, process.env.COFFER_BIN ?? "../../bin")

/** Polls until the condition holds, for so long at most. */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  seconds = 180,
): Promise<void> {
  const deadline = Date.now() + 1000 * seconds
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s for ${what}`)
    await new Promise((done) => setTimeout(done, 50))
  }
}

/**
 * A port for a program that is yet to listen on it. They are from 20000 on, where no system takes
 * those of its own accord; and whoever listens on the one 10000 below has it reserved, among all
 * tests of this machine, until the reservation is closed.
 */
class ReservedPort {
  private constructor(
    readonly port: number,
    private readonly reservation: Server,
  ) {}

  static async take(): Promise<ReservedPort> {
    for (;;) {
      const port = randomInt(20_000, 30_000)
      const reservation = await listening(port - 10_000)
      if (!reservation) continue
      const free = await listening(port)
      if (free) {
        await closed(free)
        return new ReservedPort(port, reservation)
      }
      await closed(reservation)
    }
  }

  release(): Promise<void> {
    return closed(this.reservation)
  }
}

/** Listens on a port of this machine, unless somebody does already. */
async function listening(port: number): Promise<Server | undefined> {
  const server = createServer((connection) => connection.destroy())
  server.listen(port, "127.0.0.1")
  try {
    await once(server, "listening")
    return server
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return undefined
    throw error
  }
}

async function closed(server: Server) {
  server.close()
  await once(server, "close")
}

class Program {
  private process: ChildProcess | undefined
  /** What it logged, for the message of a failed test. */
  output = ""

  constructor(
    private readonly name: string,
    private readonly args: string[],
    private readonly cwd: string,
    private readonly secret = "5a".repeat(32),
  ) {}

  start() {
    const child = spawn(join(bin, this.name), this.args, {
      cwd: this.cwd,
      env: { ...process.env, COFFER_CORE_SECRET: this.secret },
    })
    child.stderr?.on("data", (text) => {
      this.output += text
    })
    this.process = child
  }

  get running(): boolean {
    return this.process !== undefined && this.process.exitCode === null
  }

  /** Ends it, by default politely, and waits until it is gone. */
  async end(signal: NodeJS.Signals = "SIGTERM") {
    const child = this.process
    this.process = undefined
    if (!child || child.exitCode !== null) return
    const gone = once(child, "exit")
    child.kill(signal)
    await gone
  }
}

export class Stack {
  private constructor(
    readonly folder: string,
    /** Where the browser goes: the relay before the gateway, or the gateway. */
    readonly url: string,
    readonly gatewayURL: string,
    readonly coreAddress: string,
    private readonly internalAddress: string,
    /** Where the operator's console is. */
    readonly consoleURL: string,
    readonly relay: Relay,
    private readonly core: Program,
    private readonly gateway: Program,
    private readonly ports: ReservedPort[],
  ) {}

  /** Direct: the browser goes to the gateway itself, with no relay between. Core: more flags of it. */
  static async start(
    options: { tokenTTL?: string; direct?: boolean; core?: string[] } = {},
  ): Promise<Stack> {
    const folder = await mkdtemp(join(tmpdir(), "coffer-e2e-"))
    const [listen, internal, http, operator] = await Promise.all([
      ReservedPort.take(),
      ReservedPort.take(),
      ReservedPort.take(),
      ReservedPort.take(),
    ])
    const core = new Program(
      "coffer-server",
      [
        `--data=${join(folder, "data")}`,
        `--listen=127.0.0.1:${listen.port}`,
        `--internal-listen=127.0.0.1:${internal.port}`,
        `--console-listen=127.0.0.1:${operator.port}`,
        "--min-free=64MiB",
        ...(options.core ?? []),
      ],
      folder,
    )
    const gateway = new Program(
      "coffer-gateway",
      [
        `--listen=127.0.0.1:${http.port}`,
        `--core=127.0.0.1:${internal.port}`,
        `--jwt-secret-file=${join(folder, "jwt.secret")}`,
        `--token-ttl=${options.tokenTTL ?? "1h"}`,
        "--auth-rate=100",
        "--auth-burst=100",
      ],
      folder,
    )
    core.start()
    gateway.start()
    const relay = await Relay.start(http.port)
    const stack = new Stack(
      folder,
      `http://127.0.0.1:${options.direct ? http.port : relay.port}`,
      `http://127.0.0.1:${http.port}`,
      `127.0.0.1:${listen.port}`,
      `127.0.0.1:${internal.port}`,
      `http://127.0.0.1:${operator.port}`,
      relay,
      core,
      gateway,
      [listen, internal, http, operator],
    )
    await stack.ready()
    return stack
  }

  private async ready() {
    try {
      await until("the gateway and the core", async () => {
        try {
          return (await fetch(`${this.gatewayURL}/readyz`)).ok
        } catch {
          return false
        }
      })
    } catch (error) {
      throw new Error(`${error}\n${this.core.output}\n${this.gateway.output}`)
    }
  }

  async killCore() {
    await this.core.end("SIGKILL")
  }

  /** Starts the core if a test left it stopped, so that the next one begins with all there. */
  async startCoreIfStopped() {
    if (!this.core.running) await this.startCore()
  }

  /** Has the core end as its operator would, and starts it again. */
  async restartCore() {
    await this.core.end()
    await this.startCore()
  }

  /** Where the core keeps what it stores. */
  get data(): string {
    return join(this.folder, "data")
  }

  /** The token that opens the console. */
  async consoleToken(): Promise<string> {
    return (await readFile(join(this.data, "console.token"), "utf8")).trim()
  }

  /** Asks the console as a script would. */
  async asks(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers)
    headers.set("Authorization", `Bearer ${await this.consoleToken()}`)
    return fetch(this.consoleURL + path, { ...init, headers })
  }

  /** Has a gateway that does not know the core's secret try its luck: the core refuses it, and warns. */
  async strangerTries() {
    const port = await ReservedPort.take()
    const jwt = join(this.folder, "stranger.secret")
    const stranger = new Program(
      "coffer-gateway",
      [
        `--listen=127.0.0.1:${port.port}`,
        `--core=${this.internalAddress}`,
        `--jwt-secret-file=${jwt}`,
      ],
      this.folder,
      "00".repeat(32),
    )
    stranger.start()
    await until("the stranger to be refused", async () => {
      await fetch(`http://127.0.0.1:${port.port}/readyz`).catch(() => undefined)
      const { records } = await (await this.asks("/api/logs?level=warn")).json()
      return records.some(({ level }: { level: string }) => level === "warn")
    })
    await stranger.end()
    await port.release()
  }

  async startCore() {
    this.core.start()
    await this.ready()
  }

  async stop() {
    await this.relay.stop()
    await this.gateway.end()
    await this.core.end()
    await Promise.all(this.ports.map((port) => port.release()))
    await rm(this.folder, { recursive: true, force: true })
  }

  /** Writes a file for a test to back up. */
  async file(name: string, content: Uint8Array | string): Promise<string> {
    const path = join(this.folder, name)
    await writeFile(path, content)
    return path
  }

  /** A backup of what the test writes to it, piece by piece: it is under way until its input ends. */
  backingUp(machine: string, passphrase: string, name: string): ChildProcess {
    return spawn(join(bin, "coffer"), ["backup", "-", `--name=${name}`, "--no-seal"], {
      cwd: this.folder,
      env: this.environment(machine, passphrase),
      stdio: ["pipe", "ignore", "ignore"],
    })
  }

  private environment(machine: string, passphrase: string): NodeJS.ProcessEnv {
    return {
      ...process.env,
      COFFER_HOME: join(this.folder, machine),
      COFFER_PASSPHRASE: passphrase,
    }
  }

  /** Runs the command line as a person on a machine of that name would; returns what it printed. */
  async coffer(machine: string, passphrase: string, ...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(join(bin, "coffer"), args, {
      cwd: this.folder,
      env: this.environment(machine, passphrase),
    })
    return stdout
  }
}
