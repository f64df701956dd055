import type { FileEntry } from "./types"

type Formatted = Pick<FileEntry, "format">

/** Only the owner's keys open it. */
export function isSealed(file: Formatted): boolean {
  return file.format === "sealed_file" || file.format === "sealed_folder" || isSnapshot(file)
}

/** It is an archive of a folder. */
export function isFolder(file: Formatted): boolean {
  return file.format === "folder" || file.format === "sealed_folder"
}

/** What the server lists is only the manifest; the command line restores what it names. */
export function isSnapshot(file: Formatted): boolean {
  return file.format === "snapshot"
}
