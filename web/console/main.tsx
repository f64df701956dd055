import "@fontsource-variable/inter/index.css"
import "@mantine/core/styles.css"
import "@mantine/notifications/styles.css"
import "../shared/global.css"
import "./app/console.css"
import { createRoot } from "react-dom/client"
import { App } from "./app/App"
import { startConsole } from "./app/console"

const element = document.getElementById("root")
if (!element) throw new Error("The page has no root element.")
createRoot(element).render(<App console={startConsole()} />)
