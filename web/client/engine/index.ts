/** The engine: what signs in, sends and restores, behind the interface that pages know. */
import { Api } from "../api/client"
import { signInServer } from "../crypto/derive"
import { LiveQueue } from "./queue"
import { Remote } from "./remote"
import { type HandOut, LiveRestores } from "./restores"
import { Seen } from "./seen"
import { LiveServer } from "./server"
import { LiveSession, type SessionToken } from "./session"
import { KeptSettings } from "./settings"
import type { Engine } from "./types"

export function startEngine(handOut: HandOut): Engine {
  const token: SessionToken = { token: undefined }
  const api = new Api(() => token.token)
  const remote = new Remote()
  // A browser that keeps nothing remembers nothing: all else works.
  const seen = Seen.open().catch(() => undefined)
  const session = new LiveSession(
    api,
    remote,
    token,
    signInServer(location.hostname),
    async (name) => (await seen)?.forgetAll(name),
  )
  const settings = new KeptSettings()
  const username = () => {
    const now = session.getSnapshot()
    return now.state === "signed-out" ? "" : now.username
  }
  return {
    session,
    settings,
    queue: new LiveQueue(remote, session, settings, holdTab()),
    restore: new LiveRestores(remote, handOut, session, async (entry) =>
      (await seen)?.accept(username(), entry),
    ),
    server: new LiveServer(
      api,
      () => session.expire(),
      () => session.sealHeader,
      username,
      seen,
    ),
  }
}

/** Takes a lock that other tabs see for as long as this one lives, and returns its name. */
function holdTab(): string {
  const name = `coffer-tab-${crypto.randomUUID()}`
  void navigator.locks.request(name, () => new Promise(() => {}))
  return name
}
