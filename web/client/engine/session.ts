/** Who is signed in: the token here, the keys in the worker. */

import type { Problem } from "../../shared/problem"
import { Watched } from "../../shared/watched"
import { type Api, ApiError } from "../api/client"
import { toBase64 } from "../crypto/encoding"
import { ProblemError, problemOf } from "./problems"
import type { Remote } from "./remote"
import type { Session, SessionState } from "./types"

const badSignIn: Problem = {
  title: "Name or passphrase is wrong",
  message: "The server knows no such account with this passphrase.",
  advice: "Check both and try again. Capitals and spaces count.",
  kind: "passphrase",
}

const badPassphrase: Problem = {
  title: "The passphrase is wrong",
  message: "This is not the passphrase of your account.",
  advice: "Check it and try again. Capitals and spaces count.",
  kind: "passphrase",
}

const nameTaken: Problem = {
  title: "This name is taken",
  message: "Somebody has an account of this name already.",
  advice: "Choose another name, or sign in if it is yours.",
  kind: "conflict",
}

const unopened: Problem = {
  title: "The server sent another file",
  message:
    "It is not the one that opened with your passphrase when you signed in, so it was not saved. The passphrase may have been changed on another device.",
  advice: "Sign out and in again: that opens the file. If it does not open, tell the operator.",
  kind: "tampered",
}

export type SessionToken = { token: string | undefined }

export class LiveSession extends Watched<SessionState> implements Session {
  /** While keys are needed: what they will be locked with. */
  private passphrase: string | undefined
  private headerSize = 0
  private expiry: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly api: Api,
    private readonly remote: Remote,
    private readonly current: SessionToken,
    /** What the passwords are bound to. */
    private readonly server: string,
    /** Told of an account that was removed. */
    private readonly removed: (username: string) => Promise<void> = async () => {},
  ) {
    super({ state: "signed-out" })
    remote.onEvent((event) => {
      if (event.event === "unauthorized") this.expire()
    })
  }

  register = this.problems(
    async (username: string, passphrase: string, onStep: (step: string) => void) => {
      onStep("Deriving a password from your passphrase")
      const password = await this.remote.ask("derivePassword", this.server, username, passphrase)
      onStep("Registering the account")
      await this.api.register(username, password).catch((error) => {
        throw isStatus(error, 409) ? new ProblemError(nameTaken) : error
      })
      const login = await this.api.login(username, password)
      await this.adoptToken(login.session_token)
      onStep("Making your keys")
      await this.newKeys(username, passphrase)
      this.signedIn(username, login.expires_in)
    },
  )

  signIn = this.problems(async (username: string, passphrase: string) => {
    const login = await this.login(username, passphrase, badSignIn)
    const bundle = await this.api.keyBundle()
    if (!bundle) {
      this.passphrase = passphrase
      this.replace({ state: "needs-keys", username })
      return
    }
    const { sealHeader } = await this.remote.ask("openKeys", username, bundle, passphrase)
    this.headerSize = sealHeader
    this.signedIn(username, login.expires_in)
  })

  renew = this.problems(async (passphrase: string) => {
    const username = this.username()
    const login = await this.login(username, passphrase, badPassphrase)
    this.signedIn(username, login.expires_in)
  })

  importRecoveryFile = this.problems(async (file: File, passphrase: string) => {
    const username = this.username()
    const bundle = new Uint8Array(await file.arrayBuffer())
    const names = await this.remote.ask("openKeys", username, bundle, passphrase)
    this.headerSize = names.sealHeader
    // At the server the keys are locked with the passphrase of the account.
    const own = this.passphrase ?? passphrase
    const locked = await this.remote.ask("rewrap", bundle, passphrase, own)
    await this.publish(username, own, locked, names.publicKey)
    await this.enter(username, own)
  })

  makeKeys = this.problems(async (passphrase: string) => {
    const username = this.username()
    if (passphrase !== this.passphrase) throw new ProblemError(badPassphrase)
    await this.newKeys(username, passphrase)
    await this.enter(username, passphrase)
  })

  recoveryFile = this.problems(async () => {
    const bundle = await this.api.keyBundle()
    if (!bundle) {
      throw new ProblemError({
        title: "There is no recovery file",
        message: "The server does not have your keys any more.",
        advice: "Do not close this page. Tell the server’s operator.",
        kind: "server",
      })
    }
    // Whatever the server hands out could be anything, and would be missed on the day it is needed.
    if (!(await this.remote.ask("wasOpened", bundle))) throw new ProblemError(unopened)
    return new Blob([bundle], { type: "application/octet-stream" })
  })

  changePassphrase = this.problems(async (current: string, next: string) => {
    const username = this.username()
    const bundle = await this.api.keyBundle()
    if (!bundle) throw new Error("session: no key bundle")
    const [currentPassword, password, locked] = await Promise.all([
      this.remote.ask("derivePassword", this.server, username, current),
      this.remote.ask("derivePassword", this.server, username, next),
      this.remote.ask("rewrap", bundle, current, next),
    ])
    const login = await this.api
      .setPassphrase({
        current_password: currentPassword,
        password,
        key_bundle: toBase64(locked),
      })
      .catch((error) => {
        throw isStatus(error, 403) ? new ProblemError(badPassphrase) : error
      })
    await this.adoptToken(login.session_token)
    this.signedIn(username, login.expires_in)
  })

  signOut = this.problems(async (everywhere?: boolean) => {
    // Here it ends in any case; that the others end as well has to be heard from the server.
    try {
      await this.api.logout(everywhere ?? false)
    } catch (error) {
      if (everywhere && !isStatus(error, 401)) throw error
    }
    await this.leave()
  })

  removeAccount = this.problems(async (passphrase: string) => {
    const username = this.username()
    const password = await this.remote.ask("derivePassword", this.server, username, passphrase)
    await this.api.removeAccount(password).catch((error) => {
      throw isStatus(error, 403) ? new ProblemError(badPassphrase) : error
    })
    await this.removed(username)
    await this.leave()
  })

  /** Bytes of the header of what is sealed with the account's keys. */
  get sealHeader(): number {
    return this.headerSize
  }

  /** The server does not take the token any more. */
  expire() {
    const now = this.getSnapshot()
    if (now.state === "signed-in") this.replace({ state: "expired", username: now.username })
  }

  private username(): string {
    const now = this.getSnapshot()
    return now.state === "signed-out" ? "" : now.username
  }

  private async login(username: string, passphrase: string, refusal: Problem) {
    const password = await this.remote.ask("derivePassword", this.server, username, passphrase)
    const login = await this.api.login(username, password).catch((error) => {
      if (!isStatus(error, 401)) throw error
      return undefined
    })
    if (!login) return this.loginAsBefore(username, passphrase, password, refusal)
    await this.adoptToken(login.session_token)
    return login
  }

  /** Signs in with the password of before passwords were bound to servers, and binds it. */
  private async loginAsBefore(
    username: string,
    passphrase: string,
    password: string,
    refusal: Problem,
  ) {
    const earlier = await this.remote.ask("deriveEarlierPassword", username, passphrase)
    const login = await this.api.login(username, earlier).catch((error) => {
      throw isStatus(error, 401) ? new ProblemError(refusal) : error
    })
    await this.adoptToken(login.session_token)
    const bundle = await this.api.keyBundle()
    if (!bundle) return login // there is one soon, and then this comes again
    const moved = await this.api.setPassphrase({
      current_password: earlier,
      password,
      key_bundle: toBase64(bundle),
    })
    await this.adoptToken(moved.session_token)
    return { ...login, ...moved }
  }

  private async newKeys(username: string, passphrase: string) {
    // The keys also sign in on the wire, where the account has another id than here.
    const { wire_id } = await this.api.account()
    const made = await this.remote.ask("makeKeys", username, wire_id, passphrase)
    this.headerSize = made.sealHeader
    await this.publish(username, passphrase, made.bundle, made.publicKey)
  }

  /** The bundle first: what is backed up from then on can always be opened. */
  private async publish(
    username: string,
    passphrase: string,
    bundle: Uint8Array<ArrayBuffer>,
    publicKey: string,
  ) {
    const asOwner = (call: () => Promise<void>) => this.asOwner(username, passphrase, call)
    await asOwner(() => this.api.putKeyBundle(bundle))
    await asOwner(() => this.api.sendPublicKey(publicKey))
  }

  /**
   * Makes a call that the server takes only from who signed in just now: a
   * computer may have slept since, or somebody looked for a recovery file.
   */
  private async asOwner(username: string, passphrase: string, call: () => Promise<void>) {
    try {
      await call()
    } catch (error) {
      if (!isStatus(error, 403)) throw error
      await this.login(username, passphrase, badPassphrase)
      await call()
    }
  }

  /** A fresh token, now that the keys are there. */
  private async enter(username: string, passphrase: string) {
    const login = await this.login(username, passphrase, badPassphrase)
    this.passphrase = undefined
    this.signedIn(username, login.expires_in)
  }

  private async adoptToken(token: string) {
    this.current.token = token
    await this.remote.ask("setToken", token)
  }

  private signedIn(username: string, seconds: number) {
    clearTimeout(this.expiry)
    this.expiry = setTimeout(() => this.expire(), 1000 * seconds)
    this.replace({
      state: "signed-in",
      username,
      expires: new Date(Date.now() + 1000 * seconds),
    })
  }

  private async leave() {
    clearTimeout(this.expiry)
    this.passphrase = undefined
    this.current.token = undefined
    await this.remote.ask("forget")
    this.replace({ state: "signed-out" })
  }

  /** Has whatever goes wrong come as a Problem. */
  private problems<A extends unknown[], R>(
    action: (...args: A) => Promise<R>,
  ): (...args: A) => Promise<R> {
    return async (...args) => {
      try {
        return await action(...args)
      } catch (error) {
        throw problemOf(error)
      }
    }
  }
}

function isStatus(error: unknown, status: number): boolean {
  return error instanceof ApiError && error.status === status
}
