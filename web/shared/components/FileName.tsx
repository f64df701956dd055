import classes from "./FileName.module.css"

/** A path on one line. When it is too long, its folders give way before its own name does. */
export function FileName(props: { name: string }) {
  const slash = props.name.lastIndexOf("/") + 1
  return (
    <span className={classes.name} title={props.name}>
      {slash > 0 && <span className={classes.folder}>{props.name.slice(0, slash)}</span>}
      <span className={classes.base}>{props.name.slice(slash)}</span>
    </span>
  )
}
