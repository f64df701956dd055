import { Watched } from "../../shared/watched"
import type { Settings, SettingsStore } from "./types"

const key = "coffer.settings"

const defaults: Settings = { seal: true, packetSize: 4 * 1024 * 1024, parallel: 3 }

/** How files are sent, kept in this browser. */
export class KeptSettings extends Watched<Settings> implements SettingsStore {
  constructor() {
    super(read())
  }

  set = (change: Partial<Settings>) => {
    const settings = { ...this.getSnapshot(), ...change }
    try {
      localStorage.setItem(key, JSON.stringify(settings))
    } catch {
      // Storage is closed to us: they hold until the page is left.
    }
    this.replace(settings)
  }
}

function read(): Settings {
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? "{}") as Partial<Settings>
    return {
      seal: kept.seal ?? defaults.seal,
      packetSize: kept.packetSize ?? defaults.packetSize,
      parallel: kept.parallel ?? defaults.parallel,
    }
  } catch {
    return defaults
  }
}
