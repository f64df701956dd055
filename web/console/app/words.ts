/** What is shown of the words that the server uses. */
import {
  IconAlertTriangle,
  IconDatabaseExport,
  IconDownload,
  IconKey,
  IconLock,
  IconLockAccess,
  IconLogin2,
  IconLogout,
  IconPlayerPause,
  IconPlayerPlay,
  IconPower,
  IconSettings,
  IconShieldSearch,
  IconTrash,
  type Icon as IconType,
  IconUpload,
  IconUserPlus,
  IconX,
  IconZoomExclamation,
} from "@tabler/icons-react"
import type { Activity, ActivityKind, FileVersion, LogLevel, Outcome } from "../api/client"

export const kinds: Record<ActivityKind, { label: string; icon: IconType }> = {
  registration: { label: "Registration", icon: IconUserPlus },
  sign_in: { label: "Sign-in", icon: IconLogin2 },
  password: { label: "Passphrase set", icon: IconLock },
  access: { label: "Access changed", icon: IconLockAccess },
  key_exchange: { label: "Key exchange", icon: IconKey },
  upload: { label: "Upload verified", icon: IconUpload },
  mismatch: { label: "Checksum mismatch", icon: IconZoomExclamation },
  restore: { label: "Restore", icon: IconDownload },
  removal: { label: "Removal", icon: IconTrash },
  error: { label: "Error", icon: IconAlertTriangle },
  session_ended: { label: "Session ended", icon: IconLogout },
  suspended: { label: "Suspended", icon: IconPlayerPause },
  resumed: { label: "Resumed", icon: IconPlayerPlay },
  settings: { label: "Settings changed", icon: IconSettings },
  scrub: { label: "Integrity check", icon: IconShieldSearch },
  backup: { label: "Database backup", icon: IconDatabaseExport },
  upload_dropped: { label: "Upload dropped", icon: IconX },
  server: { label: "Server", icon: IconPower },
}

export const outcomes: Record<Outcome, { label: string; color: string }> = {
  ok: { label: "OK", color: "var(--coffer-good)" },
  warning: { label: "Warning", color: "var(--coffer-warn)" },
  failed: { label: "Failed", color: "var(--coffer-bad)" },
}

/** What ended without being wrong: the green of what was done would say that it is there. */
const ends: Partial<Record<ActivityKind, string>> = {
  upload_dropped: "Dropped",
  removal: "Removed",
  session_ended: "Ended",
  suspended: "Suspended",
}

/** How it came out, in words and colour. */
export function outcomeOf(activity: Activity): { label: string; color: string } {
  const ended = activity.outcome === "ok" ? ends[activity.kind] : undefined
  return ended ? { label: ended, color: "var(--mantine-color-dimmed)" } : outcomes[activity.outcome]
}

export const levels: Record<LogLevel, string> = {
  debug: "Debug",
  info: "Info",
  warn: "Warning",
  error: "Error",
}

export const formats: Record<FileVersion["format"], string> = {
  unknown: "Unknown",
  file: "File",
  sealed_file: "File, sealed",
  folder: "Folder",
  sealed_folder: "Folder, sealed",
  snapshot: "Snapshot",
}

/** What happened, told from who did it to what it was done to. */
export function kindOf(activity: Activity): { label: string; icon: IconType } {
  // A newer server may know more kinds than this page.
  return kinds[activity.kind] ?? { label: activity.kind, icon: IconAlertTriangle }
}
