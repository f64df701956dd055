import { useEffect } from "react"

/** What the pages are called together: index.html says it, before any page is shown. */
const whole = document.title || "Coffer"

/** Has the browser's tab say which page it is. */
export function useTitle(page: string) {
  useEffect(() => {
    document.title = `${page} · ${whole}`
  }, [page])
}
