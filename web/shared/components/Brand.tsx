import classes from "./Brand.module.css"

/** The mark and the name. */
export function Brand(props: { name?: string; nameClassName?: string }) {
  return (
    <span className={classes.brand}>
      <svg viewBox="0 0 32 32" aria-hidden="true" className={classes.mark}>
        <rect width="32" height="32" rx="8" fill="var(--mantine-primary-color-filled)" />
        <path
          d="M8 14.5V12a4.5 4.5 0 0 1 4.5-4.5h7A4.5 4.5 0 0 1 24 12v2.5"
          fill="none"
          stroke="#fff"
          strokeWidth="2.2"
          strokeLinecap="round"
        />
        <rect x="6.5" y="14" width="19" height="11" rx="2.5" fill="#fff" />
        <circle cx="16" cy="18.4" r="1.9" fill="var(--mantine-primary-color-filled)" />
        <path
          d="M16 18.4v3.4"
          stroke="var(--mantine-primary-color-filled)"
          strokeWidth="2"
          strokeLinecap="round"
        />
      </svg>
      <span className={`${classes.name} ${props.nameClassName ?? ""}`}>
        {props.name ?? "Coffer"}
      </span>
    </span>
  )
}
