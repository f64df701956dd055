import { type Api, ApiError } from "../api/client"
import { openedSize } from "../crypto/sizes"
import { isSealed, isSnapshot } from "./format"
import { problemOf } from "./problems"
import type { Seen } from "./seen"
import type { FileDetails, FileEntry, Server } from "./types"

/** What the server has, asked by the page itself. An ended session is made known. */
export class LiveServer implements Server {
  constructor(
    private readonly api: Api,
    private readonly expired: () => void,
    private readonly sealHeader: () => number,
    private readonly username: () => string,
    private readonly seen: Promise<Seen | undefined>,
  ) {}

  account = () => this.ask(() => this.api.account())
  files = () => this.ask(async () => this.judged((await this.api.files()).map(this.measured)))
  file = (name: string) =>
    this.ask(async (): Promise<FileDetails> => {
      const details = await this.api.file(name)
      const versions = details.versions.map(this.measured)
      const [file = this.measured(details.file)] = await this.judged([this.measured(details.file)])
      return {
        ...details,
        file,
        versions: versions.map((one) =>
          one.version === file.version ? { ...one, doubt: file.doubt } : one,
        ),
      }
    })
  remove = (name: string, version?: number) =>
    this.ask(async () => {
      await this.api.removeFile(name, version)
      await (await this.seen)?.forget(this.username(), name)
    })
  status = () => this.ask(() => this.api.status())

  private async judged(files: FileEntry[]): Promise<FileEntry[]> {
    const seen = await this.seen
    return seen ? seen.judge(this.username(), files) : files
  }

  /** To the server the seal is part of the file; a person knows its size without. */
  private measured = (file: FileEntry): FileEntry => {
    if (!isSealed(file) || isSnapshot(file)) return file
    const size = openedSize(this.sealHeader(), file.original_size)
    return size === undefined ? file : { ...file, original_size: size }
  }

  private async ask<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.expired()
      throw problemOf(error)
    }
  }
}
