/** The one client of the HTTP API. Its types are generated from openapi.yaml. */
import createClient, { type Client } from "openapi-fetch"
import type { components, paths } from "./schema"

type Schemas = components["schemas"]
export type Format = NonNullable<Schemas["UploadRequest"]["format"]>

/** The server answered, and refused. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    /** The server's own words: what was wrong, and with which field. */
    message: string,
    /** Seconds that the server wants to be left alone. */
    readonly retryAfter: number | undefined,
  ) {
    super(message)
  }
}

/** There was no answer. */
export class NetworkError extends Error {}

type Answer<T> = { data?: T; error?: unknown; response: Response }

export class Api {
  private readonly client: Client<paths>

  /** Calls bear the token that the function gives at the time. */
  constructor(private readonly token: () => string | undefined) {
    this.client = createClient<paths>({ baseUrl: self.location.origin })
    this.client.use({
      onRequest: ({ request }) => {
        const token = this.token()
        if (token) request.headers.set("Authorization", `Bearer ${token}`)
        return request
      },
    })
  }

  async register(username: string, password: string): Promise<Schemas["Registered"]> {
    const body = { username, password, client_type: "web_client" as const }
    return answer(this.client.POST("/api/v1/auth/register", { body }))
  }

  async login(username: string, password: string): Promise<Schemas["LoggedIn"]> {
    return answer(this.client.POST("/api/v1/auth/login", { body: { username, password } }))
  }

  async logout(everywhere: boolean): Promise<void> {
    await answer(this.client.POST("/api/v1/auth/logout", { params: { query: { everywhere } } }))
  }

  async account(): Promise<Schemas["Account"]> {
    return answer(this.client.GET("/api/v1/account"))
  }

  async setPassphrase(change: {
    current_password: string
    password: string
    key_bundle: string
  }): Promise<Schemas["LoggedIn"]> {
    return answer(this.client.PUT("/api/v1/account/passphrase", { body: change }))
  }

  async removeAccount(password: string): Promise<void> {
    await answer(this.client.POST("/api/v1/account/remove", { body: { password } }))
  }

  async sendPublicKey(public_key_der: string): Promise<void> {
    await answer(this.client.POST("/api/v1/keys/public", { body: { public_key_der } }))
  }

  /** The key bundle; undefined if the account has none. */
  async keyBundle(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      const bundle = await answer(
        this.client.GET("/api/v1/keys/bundle", { parseAs: "arrayBuffer" }) as Promise<
          Answer<ArrayBuffer>
        >,
      )
      return new Uint8Array(bundle)
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined
      throw error
    }
  }

  async putKeyBundle(bundle: Uint8Array<ArrayBuffer>): Promise<void> {
    await answer(this.client.PUT("/api/v1/keys/bundle", binary(bundle)))
  }

  /** All files, newest version each, page by page. */
  async files(): Promise<Schemas["File"][]> {
    const all: Schemas["File"][] = []
    for (let after: string | undefined; ; ) {
      const query = after === undefined ? { limit: 1000 } : { limit: 1000, after }
      const page = await answer(this.client.GET("/api/v1/files", { params: { query } }))
      all.push(...page.files)
      if (!page.next) return all
      after = page.files.at(-1)?.filename
    }
  }

  async file(
    filename: string,
    version?: number,
    signal?: AbortSignal,
  ): Promise<Schemas["FileDetails"]> {
    const params = { path: { filename }, query: version === undefined ? {} : { version } }
    return answer(this.client.GET("/api/v1/files/{filename}", { params, ...stopped(signal) }))
  }

  async removeFile(filename: string, version?: number): Promise<void> {
    const params = { path: { filename }, query: version === undefined ? {} : { version } }
    await answer(this.client.DELETE("/api/v1/files/{filename}", { params }))
  }

  /** A version's ciphertext from a byte on, as it comes. */
  async content(
    filename: string,
    version: number,
    from: number,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    type Content = ReadableStream<Uint8Array<ArrayBuffer>>
    const call = this.client.GET("/api/v1/files/{filename}/content", {
      params: { path: { filename }, query: { version } },
      headers: from > 0 ? { Range: `bytes=${from}-` } : {},
      parseAs: "stream",
      signal,
    }) as Promise<Answer<Content>>
    const content = await answer(call)
    // Something on the way may know no ranges and send everything.
    return (await call).response.status === 206 ? content : content.pipeThrough(skip(from))
  }

  async beginUpload(upload: Schemas["UploadRequest"]): Promise<Schemas["UploadBegun"]> {
    return answer(this.client.POST("/api/v1/uploads", { body: upload }))
  }

  async upload(upload_id: string, signal?: AbortSignal): Promise<Schemas["Upload"]> {
    const params = { path: { upload_id } }
    return answer(this.client.GET("/api/v1/uploads/{upload_id}", { params, ...stopped(signal) }))
  }

  async cancelUpload(upload_id: string): Promise<void> {
    const params = { path: { upload_id } }
    await answer(this.client.DELETE("/api/v1/uploads/{upload_id}", { params }))
  }

  async putPacket(
    upload_id: string,
    n: number,
    last: boolean,
    bytes: Uint8Array<ArrayBuffer>,
    signal: AbortSignal,
  ): Promise<Schemas["PacketReceived"]> {
    return answer(
      this.client.PUT("/api/v1/uploads/{upload_id}/packets/{n}", {
        params: { path: { upload_id, n }, query: { last } },
        ...binary(bytes),
        signal,
      }),
    )
  }

  async verifyUpload(
    upload_id: string,
    cksum: number,
    signal?: AbortSignal,
  ): Promise<Schemas["Verified"]> {
    const params = { path: { upload_id } }
    const body = { client_crc: String(cksum) }
    return answer(
      this.client.POST("/api/v1/uploads/{upload_id}/verify", { params, body, ...stopped(signal) }),
    )
  }

  async limits(signal?: AbortSignal): Promise<Schemas["Limits"]> {
    return answer(this.client.GET("/api/v1/limits", stopped(signal)))
  }

  async status(): Promise<Schemas["Status"]> {
    return answer(this.client.GET("/api/v1/status"))
  }
}

/** Leaves out the first bytes of a stream. */
function skip(bytes: number): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let left = bytes
  return new TransformStream({
    transform(piece, controller) {
      const skipped = Math.min(left, piece.length)
      left -= skipped
      if (skipped < piece.length) controller.enqueue(piece.subarray(skipped))
    },
  })
}

/** The signal that stops a call, if there is one. */
function stopped(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal ? { signal } : {}
}

/** A body of bytes. The generated types know binary content as text only. */
function binary(bytes: Uint8Array<ArrayBuffer>) {
  return {
    body: bytes as unknown as string,
    bodySerializer: (body: unknown) => body as Uint8Array<ArrayBuffer>,
    headers: { "Content-Type": "application/octet-stream" },
  }
}

/** What a call brought, or the error that it was. */
async function answer<T>(call: Promise<Answer<T>>): Promise<T> {
  let result: Answer<T>
  try {
    result = await call
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error
    throw new NetworkError("no answer", { cause: error })
  }
  const { data, error, response } = result
  if (response.ok) return data as T
  const retryAfter = Number(response.headers.get("Retry-After"))
  throw new ApiError(response.status, message(error), retryAfter > 0 ? retryAfter : undefined)
}

function message(problem: unknown): string {
  const { message } = (problem ?? {}) as { message?: unknown }
  return typeof message === "string" ? message : ""
}
