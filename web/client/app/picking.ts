import type { Picked } from "../engine/types"

/** What a person chose in a file dialog; a folder's files are named by their path in it. */
export function pickedFromList(files: FileList | null): Picked[] {
  return Array.from(files ?? [], (file) => ({
    file,
    name: composed(file.webkitRelativePath || file.name),
  }))
}

/** What was dropped: files, and what is in folders at any depth. */
export async function pickedFromDrop(data: DataTransfer): Promise<Picked[]> {
  // The list of items is empty once the handler of the drop has returned, so
  // all entries are taken before the first await.
  const entries = Array.from(data.items)
    .filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry() ?? item.getAsFile())
  const picked: Picked[] = []
  for (const entry of entries) {
    if (entry instanceof File) picked.push({ file: entry, name: composed(entry.name) })
    else if (entry) await collect(entry, picked)
  }
  return picked
}

async function collect(entry: FileSystemEntry, into: Picked[]): Promise<void> {
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject))
    into.push({ file, name: composed(entry.fullPath.replace(/^\/+/, "")) })
    return
  }
  if (!isFolder(entry)) return
  const reader = entry.createReader()
  for (;;) {
    // A reader hands out a hundred entries at a time, and none at the end.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    )
    if (some.length === 0) return
    for (const child of some) await collect(child, into)
  }
}

/** The name with its accents in the letters: macOS writes them separately, which the server refuses. */
function composed(name: string): string {
  return name.normalize("NFC")
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory
}
