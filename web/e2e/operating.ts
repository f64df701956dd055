/** What a test of the console makes happen at the core: clients, their backups, and what goes wrong with them. */
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import { join } from "node:path"
import { passphrase } from "./person"
import type { Stack } from "./stack"

/** A client at the command line, on a machine of its own. */
export class CommandLine {
  private constructor(
    private readonly stack: Stack,
    readonly name: string,
  ) {}

  static async registers(stack: Stack, name: string): Promise<CommandLine> {
    await stack.coffer(
      name,
      passphrase,
      "register",
      `--server=${stack.coreAddress}`,
      `--name=${name}`,
    )
    return new CommandLine(stack, name)
  }

  async backsUp(name: string, content: Uint8Array | string) {
    const path = await this.stack.file(`${this.name} of ${name.replaceAll("/", "_")}`, content)
    await this.stack.coffer(this.name, passphrase, "backup", "--archive", path, `--name=${name}`)
  }

  async restores(name: string) {
    const path = join(this.stack.folder, `${this.name} restored`)
    await this.stack.coffer(this.name, passphrase, "restore", name, `--output=${path}`)
    await rm(path)
  }

  /** Begins a backup that goes on with what is written to it. */
  begins(name: string): SlowBackup {
    return new SlowBackup(this.stack.backingUp(this.name, passphrase, name))
  }
}

/** A backup whose content comes piece by piece. */
export class SlowBackup {
  readonly ended: Promise<number | null>

  constructor(private readonly process: ChildProcess) {
    this.ended = once(process, "exit").then(([code]) => code as number | null)
    // Who is refused reads no more.
    process.stdin?.on("error", () => {})
  }

  write(content: Uint8Array) {
    this.process.stdin?.write(content)
  }

  /** Ends the content, and waits for the command's exit code. */
  async finishes(): Promise<number | null> {
    this.process.stdin?.end()
    return this.ended
  }

  async isKilled() {
    this.process.kill("SIGKILL")
    await this.ended
  }
}

/** Sends a request that the protocol does not allow: its version is 9. */
export async function sendsNonsense(stack: Stack) {
  const [host, port] = stack.coreAddress.split(":")
  const socket = connect(Number(port), host)
  await once(socket, "connect")
  const header = Buffer.alloc(23)
  header.writeUInt8(9, 16)
  header.writeUInt16LE(1028, 17)
  header.writeUInt32LE(4, 19)
  socket.write(Buffer.concat([header, Buffer.from([1, 2, 3, 4])]))
  socket.resume()
  socket.end()
  await once(socket, "close")
}

/** The blob of a large file, and how to harm it as a failing disk would. */
export class Blob {
  private constructor(readonly path: string) {}

  /** Finds it by the label that lies beside it. */
  static async of(stack: Stack, name: string): Promise<Blob> {
    const folder = join(stack.data, "received_files")
    const found: string[] = []
    for (const entry of await readdir(folder, { recursive: true })) {
      if (!entry.endsWith(".json")) continue
      const label = JSON.parse(await readFile(join(folder, entry), "utf8"))
      if (label.name === name) found.push(join(folder, entry.slice(0, -".json".length)))
    }
    const [path, ...others] = found
    if (path === undefined || others.length > 0) {
      throw new Error(`${found.length} blobs are called ${name}`)
    }
    return new Blob(path)
  }

  async flipsABit() {
    const content = await readFile(this.path)
    const at = content.length >> 1
    content.writeUInt8(content.readUInt8(at) ^ 1, at)
    await writeFile(this.path, content)
  }

  async losesItsEnd() {
    await truncate(this.path, (await stat(this.path)).size - 100)
  }

  async isLost() {
    await rm(this.path)
  }
}
