// Runs before the page is painted, so that a dark page does not flash white. A
// file of its own, because the page's policy allows no inline script.
try {
  const chosen = localStorage.getItem("coffer.color-scheme")
  const dark =
    chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches)
  document.documentElement.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light")
} catch {
  // Storage is closed to us: the page starts light.
}
