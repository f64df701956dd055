import { Text } from "@mantine/core"
import { IconUpload } from "@tabler/icons-react"
import { useEffect, useRef, useState } from "react"
import classes from "./DropEverywhere.module.css"

/** Lets files be dropped anywhere on the page, and says so while they are held over it. */
export function DropEverywhere(props: { message: string; onDrop: (data: DataTransfer) => void }) {
  const [over, setOver] = useState(false)
  const onDrop = useRef(props.onDrop)
  onDrop.current = props.onDrop

  useEffect(() => {
    // Enter and leave come for every element that is crossed; the page is left when they cancel out.
    let depth = 0
    const hasFiles = (e: DragEvent) => e.dataTransfer?.types.includes("Files") ?? false
    const enter = (e: DragEvent) => {
      if (!hasFiles(e)) return
      depth++
      setOver(true)
    }
    const leave = (e: DragEvent) => {
      if (!hasFiles(e)) return
      depth = Math.max(0, depth - 1)
      if (depth === 0) setOver(false)
    }
    const hover = (e: DragEvent) => {
      if (!hasFiles(e)) return
      e.preventDefault()
      if (e.dataTransfer) e.dataTransfer.dropEffect = "copy"
    }
    const drop = (e: DragEvent) => {
      if (!hasFiles(e) || !e.dataTransfer) return
      // Else the browser leaves the page and shows the file.
      e.preventDefault()
      depth = 0
      setOver(false)
      onDrop.current(e.dataTransfer)
    }
    window.addEventListener("dragenter", enter)
    window.addEventListener("dragleave", leave)
    window.addEventListener("dragover", hover)
    window.addEventListener("drop", drop)
    return () => {
      window.removeEventListener("dragenter", enter)
      window.removeEventListener("dragleave", leave)
      window.removeEventListener("dragover", hover)
      window.removeEventListener("drop", drop)
    }
  }, [])

  if (!over) return null
  return (
    <div className={classes.veil}>
      <div className={classes.frame}>
        <IconUpload size={40} stroke={1.5} aria-hidden />
        <Text fw={600} size="lg">
          {props.message}
        </Text>
      </div>
    </div>
  )
}
