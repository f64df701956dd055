/**
 * The name of the account that was last signed in to in this tab, so that after
 * a reload only the passphrase has to be typed.
 */
const key = "coffer.account"

export function lastAccount(): string {
  try {
    return sessionStorage.getItem(key) ?? ""
  } catch {
    return ""
  }
}

export function rememberAccount(username: string) {
  try {
    sessionStorage.setItem(key, username)
  } catch {
    // Storage is closed to us: the name is typed again.
  }
}
