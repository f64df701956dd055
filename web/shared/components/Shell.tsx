import { Menu, UnstyledButton, VisuallyHidden } from "@mantine/core"
import { type Icon, IconDots } from "@tabler/icons-react"
import { Link, type LinkProps, useNavigate, useRouterState } from "@tanstack/react-router"
import { type ReactNode, useEffect, useRef } from "react"
import { Brand } from "./Brand"
import classes from "./Shell.module.css"

export type Place = {
  to: NonNullable<LinkProps["to"]>
  label: string
  icon: Icon
  /** How many things are under way there. */
  active?: number
}

/** A bar at the bottom of a phone has room for so many places. */
const roomOnPhone = 5

/** What surrounds every page: the mark, the navigation, and at its foot what concerns all pages. */
export function Shell(props: {
  name: string
  places: readonly Place[]
  foot: ReactNode
  children: ReactNode
}) {
  const { places } = props
  const main = useRef<HTMLElement>(null)
  useFocusOnArrival(main)
  const fits = places.length <= roomOnPhone
  const rest = fits ? [] : places.slice(roomOnPhone - 1)
  return (
    <div className={classes.shell}>
      <a href="#main" className={classes.skip}>
        Skip to the content
      </a>
      <aside className={classes.side} aria-label={props.name}>
        <Link to="/" className={classes.home} aria-label={`${props.name}, to the dashboard`}>
          <Brand name={props.name} nameClassName={classes.name} />
        </Link>
        <nav className={classes.nav} aria-label="Pages">
          {places.map((place) => (
            <PlaceLink key={place.to} place={place} secondary={rest.includes(place)} />
          ))}
          {rest.length > 0 && <More places={rest} />}
        </nav>
        <div className={classes.foot}>{props.foot}</div>
      </aside>
      <main id="main" ref={main} tabIndex={-1} className={classes.main}>
        {props.children}
      </main>
    </div>
  )
}

/** A reader of the screen hears the new page, and the keyboard goes on from its top. */
function useFocusOnArrival(main: React.RefObject<HTMLElement | null>) {
  const path = useRouterState({ select: (s) => s.location.pathname })
  const before = useRef(path)
  useEffect(() => {
    if (before.current === path) return
    before.current = path
    main.current?.focus({ preventScroll: true })
  }, [path, main])
}

function PlaceLink(props: { place: Place; secondary: boolean }) {
  const { to, label, icon: Icon, active = 0 } = props.place
  return (
    <Link
      to={to}
      className={classes.link}
      data-secondary={props.secondary || undefined}
      activeOptions={{ exact: to === "/", includeSearch: false }}
    >
      <Icon size={20} stroke={1.75} aria-hidden />
      <span>{label}</span>
      {active > 0 && (
        <span className={classes.badge}>
          {active > 99 ? "99+" : active}
          <VisuallyHidden> under way</VisuallyHidden>
        </span>
      )}
    </Link>
  )
}

/** The places that a phone's bar has no room for. */
function More(props: { places: readonly Place[] }) {
  const navigate = useNavigate()
  const path = useRouterState({ select: (s) => s.location.pathname })
  const here = props.places.some(({ to }) => path === to || path.startsWith(`${to}/`))
  return (
    <Menu position="top-end" width={200}>
      <Menu.Target>
        <UnstyledButton className={`${classes.link} ${classes.more}`} data-here={here || undefined}>
          <IconDots size={20} stroke={1.75} aria-hidden />
          <span>More</span>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        {props.places.map(({ to, label, icon: Icon }) => (
          <Menu.Item
            key={to}
            leftSection={<Icon size={18} stroke={1.75} aria-hidden />}
            onClick={() => navigate({ to })}
          >
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}
