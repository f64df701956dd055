/** How numbers and dates are written, in the language that the person chose for them. */

const units = ["bytes", "kB", "MB", "GB", "TB", "PB"] as const

/** "0 bytes", "1 byte", "12.4 MB": three digits, as people read them. */
export function formatBytes(bytes: number, language?: string): string {
  if (bytes === 1) return "1 byte"
  let unit = 0
  let value = bytes
  // 999.5 of a unit would be written as 1000 of it.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  const number = new Intl.NumberFormat(language, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(value)
  return `${number} ${units[unit]}`
}

export function formatRate(bytesPerSecond: number, language?: string): string {
  return `${formatBytes(Math.round(bytesPerSecond), language)}/s`
}

export function formatNumber(value: number, language?: string): string {
  return new Intl.NumberFormat(language).format(value)
}

/** "less than a second", "8 seconds", "2 min 5 s", "1 h 12 min". */
export function formatDuration(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 1) return "less than a second"
  if (whole < 60) return whole === 1 ? "1 second" : `${whole} seconds`
  const minutes = Math.floor(whole / 60)
  if (minutes < 60) return whole % 60 === 0 ? `${minutes} min` : `${minutes} min ${whole % 60} s`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  return `${Math.round(hours / 24)} days`
}

export function formatDate(date: Date, language?: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(date)
}

const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
]

/** "3 minutes ago"; a week and more back it is the date. */
export function formatAge(date: Date, now: Date, language?: string): string {
  const seconds = (now.getTime() - date.getTime()) / 1000
  if (seconds > 7 * 86_400) {
    return new Intl.DateTimeFormat(language, { dateStyle: "medium" }).format(date)
  }
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" })
  for (const [unit, size] of steps) {
    if (seconds >= size) return relative.format(-Math.floor(seconds / size), unit)
  }
  return relative.format(0, "second")
}

/** A checksum as the command line writes it: as cksum prints it, and in hexadecimal. */
export function formatChecksum(cksum: number): string {
  const sum = cksum >>> 0
  return `${sum} (0x${sum.toString(16).padStart(8, "0")})`
}

/** "1 file", "3 files". */
export function count(n: number, one: string, many: string, language?: string): string {
  return `${formatNumber(n, language)} ${n === 1 ? one : many}`
}
