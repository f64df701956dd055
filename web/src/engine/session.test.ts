import { beforeEach, expect, test, vi } from "vitest"
import { type Api, ApiError } from "../api/client"
import type { Remote } from "./remote"
import { LiveSession } from "./session"

const bundle = new Uint8Array([1, 2, 3])
const login = { session_token: "token", expires_in: 3_600, client_id: "id" }

/** A server with one account, ada's, whose password is as a test has it. */
class FakeServer {
  password = "v2 backup.example.org ada secret"
  bundle: Uint8Array | undefined = bundle
  calls: string[] = []

  login = vi.fn(async (_name: string, password: string) => {
    this.calls.push(`login ${password}`)
    if (password !== this.password) throw new ApiError(401, "", undefined)
    return login
  })
  keyBundle = async () => this.bundle
  setPassphrase = async (change: { current_password: string; password: string }) => {
    if (change.current_password !== this.password) throw new ApiError(403, "", undefined)
    this.password = change.password
    return { ...login, session_token: "after" }
  }
}

let server: FakeServer
let opened: boolean
let token: string | undefined
let session: LiveSession
beforeEach(() => {
  server = new FakeServer()
  opened = true
  token = undefined
  const tasks = {
    derivePassword: (server: string, name: string, words: string) =>
      `v2 ${server} ${name} ${words}`,
    deriveEarlierPassword: (name: string, words: string) => `v1 ${name} ${words}`,
    openKeys: () => ({ sealHeader: 100 }),
    wasOpened: () => opened,
    setToken: (given: string) => {
      token = given
    },
  }
  const remote = {
    onEvent: () => {},
    ask: async (task: keyof typeof tasks, ...args: string[]) =>
      (tasks[task] as (...args: string[]) => unknown)(...args),
  }
  session = new LiveSession(
    server as unknown as Api,
    remote as unknown as Remote,
    { token: undefined },
    "backup.example.org",
  )
})

test("the password is bound to the server", async () => {
  await session.signIn("ada", "secret")
  expect(server.calls).toEqual(["login v2 backup.example.org ada secret"])
  expect(session.getSnapshot()).toMatchObject({ state: "signed-in", username: "ada" })
})

test("an account with a password of before is moved by signing in, once", async () => {
  server.password = "v1 ada secret"
  await session.signIn("ada", "secret")
  expect(server.password).toBe("v2 backup.example.org ada secret")
  expect(token).toBe("after")
  server.calls = []
  await session.renew("secret")
  expect(server.calls).toHaveLength(1)
})

test("a wrong passphrase is one in either way", async () => {
  await expect(session.signIn("ada", "wrong")).rejects.toMatchObject({ kind: "passphrase" })
  expect(session.getSnapshot()).toEqual({ state: "signed-out" })
})

test("a recovery file is what was opened here, not whatever the server answers", async () => {
  await session.signIn("ada", "secret")
  expect(await session.recoveryFile()).toBeInstanceOf(Blob)
  opened = false
  await expect(session.recoveryFile()).rejects.toMatchObject({ kind: "tampered" })
  server.bundle = undefined
  await expect(session.recoveryFile()).rejects.toMatchObject({ kind: "server" })
})
