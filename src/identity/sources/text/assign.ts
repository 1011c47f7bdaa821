/**
 * Which text is what, and of which host: `ovs-vsctl show` names the host's own tunnel address, `ovs-ofctl show` has the names of
 * the host's interfaces; where neither tells, a file name that holds the host's name does.
 */
import type { HostTexts } from './import.ts'
import { parseOfctlShow, parseVsctlShow } from './ovs.ts'

export interface NamedText {
  name: string
  text: string
}

export interface AssignedTexts {
  hosts: HostTexts[]
  /** Texts that are not of Open vSwitch. */
  lists: NamedText[]
  /** Texts of Open vSwitch whose host could not be told. */
  warnings: string[]
}

/** Deals texts out to hosts (name and addresses). */
export function assignTexts(
  hosts: readonly { name: string; addresses: readonly string[] }[],
  texts: readonly NamedText[],
): AssignedTexts {
  const found = hosts.map((host) => ({ ...host, vsctl: '', ofctl: [] as string[] }))
  const warnings: string[] = []
  const byName = (name: string) => {
    const named = found.filter((host) => name.includes(host.name))
    return named.length === 1 ? named[0] : undefined
  }
  const rest = texts.filter(({ name, text }) => {
    const bridges = parseVsctlShow(text)
    if (bridges.length === 0) return true
    const local = new Set(devicesOf(text).flatMap((device) => device.options.get('local_ip') ?? []))
    const host = found.find((one) => one.addresses.some((address) => local.has(address))) ?? byName(name)
    if (host === undefined)
      warnings.push(`${name}: no --host has the tunnel address ${[...local].join(' ') || '(it names none)'}`)
    else host.vsctl += text
    return false
  })
  const lists = rest.filter(({ name, text }) => {
    const shown = parseOfctlShow(text)
    if (shown.length === 0) return true
    const names = new Set(shown.flatMap((one) => [...one.ofports.keys()]))
    const score = (host: HostTexts) => devicesOf(host.vsctl).filter((device) => names.has(device.name)).length
    const scores = found.map(score)
    const best = Math.max(...scores)
    const candidates = found.filter((_, i) => scores[i] === best && best > 0)
    const host = candidates.length === 1 ? candidates[0] : byName(name)
    if (host === undefined)
      warnings.push(`${name}: its interfaces are on no host, or on several; put the host's name into the file's name`)
    else host.ofctl.push(text)
    return false
  })
  return { hosts: found, lists, warnings }
}

function devicesOf(vsctl: string) {
  return parseVsctlShow(vsctl).flatMap((bridge) => bridge.ports.flatMap((port) => port.interfaces))
}
