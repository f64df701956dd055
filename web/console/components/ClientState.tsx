import { StatusDot } from "../../shared/components/StatusDot"
import type { ClientOfServer } from "../api/client"

/** "RSA 1024, SHA-1": the size and kind of the public key on record. */
export function keyOf(client: ClientOfServer): string {
  if (client.key_bits === 0) return "No key yet"
  const hash = { sha1: "SHA-1", sha256: "SHA-256" }[client.oaep_hash] ?? client.oaep_hash
  return `${client.key_kind} ${client.key_bits}${hash ? `, ${hash}` : ""}`
}

/** Whether a client is served at the moment, and has a session. */
export function ClientState(props: { client: ClientOfServer }) {
  const { client } = props
  if (client.suspended) return <StatusDot tone="bad">Suspended</StatusDot>
  if (client.session) return <StatusDot tone="good">Live session</StatusDot>
  return <StatusDot tone="idle">No session</StatusDot>
}
