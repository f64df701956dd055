import "@fontsource-variable/inter/index.css"
import "@mantine/core/styles.css"
import "@mantine/notifications/styles.css"
import "../shared/global.css"
import { createRoot } from "react-dom/client"
import { App } from "./app/App"
import { download } from "./app/download"
import { saveName } from "./app/useStartRestore"
import { startEngine } from "./engine"

const element = document.getElementById("root")
if (!element) throw new Error("The page has no root element.")
const engine = startEngine((content, entry) => download(content, saveName(entry)))
createRoot(element).render(<App engine={engine} />)
