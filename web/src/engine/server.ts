import { type Api, ApiError } from "../api/client"
import { problemOf } from "./problems"
import type { Server } from "./types"

/** What the server has, asked by the page itself. An ended session is made known. */
export class LiveServer implements Server {
  constructor(
    private readonly api: Api,
    private readonly expired: () => void,
  ) {}

  account = () => this.ask(() => this.api.account())
  files = () => this.ask(() => this.api.files())
  file = (name: string) => this.ask(() => this.api.file(name))
  remove = (name: string, version?: number) => this.ask(() => this.api.removeFile(name, version))
  status = () => this.ask(() => this.api.status())

  private async ask<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.expired()
      throw problemOf(error)
    }
  }
}
