import { localStorageColorSchemeManager, MantineProvider } from "@mantine/core"
import { Notifications } from "@mantine/notifications"
import { QueryClientProvider } from "@tanstack/react-query"
import { RouterProvider } from "@tanstack/react-router"
import { useEffect, useState } from "react"
import { colorSchemeKey } from "../../shared/hooks/preferences"
import { cssVariables, theme } from "../../shared/theme"
import { type Console, ConsoleProvider } from "./console"
import { makeRouter } from "./router"

/** The whole page around a console. */
export function App(props: { console: Console }) {
  const { console } = props
  const [router] = useState(makeRouter)
  const [colorScheme] = useState(() => localStorageColorSchemeManager({ key: colorSchemeKey }))

  // The connection belongs to the page: it goes when the page does.
  useEffect(() => () => console.live.stop(), [console])

  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariables}
      colorSchemeManager={colorScheme}
      defaultColorScheme="auto"
    >
      <Notifications position="bottom-right" autoClose={6_000} limit={4} />
      <ConsoleProvider console={console}>
        <QueryClientProvider client={console.queries}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </ConsoleProvider>
    </MantineProvider>
  )
}
