import { useMemo, useSyncExternalStore } from "react"
import { count, formatAge, formatBytes, formatDate, formatNumber, formatRate } from "../format"

/** The key of what Mantine keeps of the colour scheme; public/color-scheme.js reads it too. */
export const colorSchemeKey = "coffer.color-scheme"

const languageKey = "coffer.language"

/** The languages that dates and numbers may be written in, beside the browser's own. */
export const languages: { value: string; label: string }[] = [
  { value: "en-GB", label: "English (United Kingdom)" },
  { value: "en-US", label: "English (United States)" },
  { value: "de", label: "Deutsch" },
  { value: "es", label: "Español" },
  { value: "fr", label: "Français" },
  { value: "he", label: "עברית" },
  { value: "it", label: "Italiano" },
  { value: "nl", label: "Nederlands" },
  { value: "pl", label: "Polski" },
  { value: "pt-BR", label: "Português (Brasil)" },
  { value: "sv", label: "Svenska" },
  { value: "uk", label: "Українська" },
  { value: "ja", label: "日本語" },
  { value: "zh-CN", label: "简体中文" },
]

const listeners = new Set<() => void>()

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  // Another tab changed it.
  window.addEventListener("storage", listener)
  return () => {
    listeners.delete(listener)
    window.removeEventListener("storage", listener)
  }
}

function readLanguage(): string {
  try {
    return localStorage.getItem(languageKey) ?? ""
  } catch {
    return ""
  }
}

/** The language of dates and numbers; empty means the browser's. */
export function useLanguage(): [string, (language: string) => void] {
  return [useSyncExternalStore(subscribe, readLanguage), writeLanguage]
}

function writeLanguage(language: string) {
  try {
    if (language) localStorage.setItem(languageKey, language)
    else localStorage.removeItem(languageKey)
  } catch {
    // Storage is closed to us: the choice cannot be kept.
  }
  for (const listener of listeners) listener()
}

/** The formats of format.ts in the language chosen. */
export function useFormat() {
  const [chosen] = useLanguage()
  return useMemo(() => {
    const language = chosen || undefined
    return {
      bytes: (n: number) => formatBytes(n, language),
      rate: (n: number) => formatRate(n, language),
      number: (n: number) => formatNumber(n, language),
      count: (n: number, one: string, many: string) => count(n, one, many, language),
      date: (date: Date) => formatDate(date, language),
      age: (date: Date) => formatAge(date, new Date(), language),
    }
  }, [chosen])
}
