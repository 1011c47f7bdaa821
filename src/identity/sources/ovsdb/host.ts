/**
 * What a host's OVSDB says, as identity uses it: bridges with their ports and interfaces, what each bridge exports, and its
 * mirrors. Read from the replica of its tables (tables.ts).
 */
import type { OvsdbTables } from './tables.ts'
import { flagOf, mapOf, numberOf, numbersOf, textOf, textsOf, uuidOf, uuidsOf, type Row } from './values.ts'

export interface OvsHost {
  /** external_ids:hostname, '' when not set. */
  hostname: string
  ovsVersion: string
  externalIds: ReadonlyMap<string, string>
  bridges: readonly OvsBridge[]
}

export interface OvsBridge {
  name: string
  /** 16 hex digits. */
  datapathId: string
  /** '' is the kernel datapath ("system"); "netdev" the userspace one. */
  datapathType: string
  ports: readonly OvsPort[]
  netflow: OvsNetflow | undefined
  sflow: OvsSflow | undefined
  ipfix: OvsIpfix | undefined
  mirrors: readonly OvsMirror[]
}

export interface OvsPort {
  name: string
  /** Local VLAN of an access port; undefined on trunks. */
  tag: number | undefined
  /** net_uuid, network_type, physical_network, segmentation_id, tag: what Neutron's agent wrote down. */
  otherConfig: ReadonlyMap<string, string>
  interfaces: readonly OvsInterface[]
}

export interface OvsInterface {
  name: string
  /** -1 when the port could not be made, undefined before it is; 65534 = LOCAL. */
  ofport: number | undefined
  /** 0 when there is none. */
  ifIndex: number
  /** '' is a system device; internal, patch, vxlan, gre, erspan, geneve, dpdkvhostuserclient … */
  type: string
  options: ReadonlyMap<string, string>
  externalIds: ReadonlyMap<string, string>
  macInUse: string
}

export interface OvsNetflow {
  targets: readonly string[]
  engineType: number | undefined
  engineId: number | undefined
  activeTimeoutS: number
  addIdToInterface: boolean
}

export interface OvsSflow {
  targets: readonly string[]
  agent: string
  sampling: number
}

export interface OvsIpfix {
  targets: readonly string[]
  sampling: number
  observationDomain: number
  observationPoint: number
  virtualObsId: string
  inputSampling: boolean
  outputSampling: boolean
}

export interface OvsMirror {
  name: string
  selectAll: boolean
  /** Names of ports whose entering, and leaving, packets are selected. */
  selectSource: readonly string[]
  selectDestination: readonly string[]
  /** Name of the port the copies go to, '' when they go to a VLAN. */
  outputPort: string
  outputVlan: number | undefined
}

// vswitch.xml: sampling of IPFIX and sFlow defaults to 400; ofproto/netflow.h: active timeout to 600 s, also for values ≤ 0.
const DEFAULT_SAMPLING = 400
const DEFAULT_ACTIVE_TIMEOUT_S = 600

/** Reads the tables of one host. References to rows that are not there are left out: rows are filled in steps. */
export function readOvsHost(tables: OvsdbTables): OvsHost {
  const root = [...tables.table('Open_vSwitch').values()][0] ?? {}
  const externalIds = mapOf(root['external_ids'])
  return {
    hostname: externalIds.get('hostname') ?? '',
    ovsVersion: textOf(root['ovs_version']),
    externalIds,
    bridges: [...tables.table('Bridge').values()].map((row) => readBridge(tables, row)),
  }
}

function readBridge(tables: OvsdbTables, row: Row): OvsBridge {
  const netflow = tables.table('NetFlow').get(uuidOf(row['netflow']))
  const sflow = tables.table('sFlow').get(uuidOf(row['sflow']))
  const ipfix = tables.table('IPFIX').get(uuidOf(row['ipfix']))
  const mirrors = uuidsOf(row['mirrors']).map((uuid) => tables.table('Mirror').get(uuid))
  return {
    name: textOf(row['name']),
    datapathId: textOf(row['datapath_id']),
    datapathType: textOf(row['datapath_type']),
    ports: uuidsOf(row['ports']).flatMap((uuid) => readPort(tables, tables.table('Port').get(uuid)) ?? []),
    netflow: netflow && readNetflow(netflow),
    sflow: sflow && {
      targets: textsOf(sflow['targets']),
      agent: textOf(sflow['agent']),
      sampling: numberOf(sflow['sampling']) ?? DEFAULT_SAMPLING,
    },
    ipfix: ipfix && readIpfix(ipfix),
    mirrors: mirrors.filter((mirror) => mirror !== undefined).map((mirror) => readMirror(tables, mirror)),
  }
}

function readPort(tables: OvsdbTables, row: Row | undefined): OvsPort | undefined {
  return (
    row && {
      name: textOf(row['name']),
      tag: numberOf(row['tag']),
      otherConfig: mapOf(row['other_config']),
      interfaces: uuidsOf(row['interfaces']).flatMap(
        (uuid) => readInterface(tables.table('Interface').get(uuid)) ?? [],
      ),
    }
  )
}

function readInterface(row: Row | undefined): OvsInterface | undefined {
  return (
    row && {
      name: textOf(row['name']),
      ofport: numberOf(row['ofport']),
      ifIndex: numberOf(row['ifindex']) ?? 0,
      type: textOf(row['type']),
      options: mapOf(row['options']),
      externalIds: mapOf(row['external_ids']),
      macInUse: textOf(row['mac_in_use']),
    }
  )
}

function readNetflow(row: Row): OvsNetflow {
  const timeout = numberOf(row['active_timeout']) ?? 0
  return {
    targets: textsOf(row['targets']),
    engineType: numberOf(row['engine_type']),
    engineId: numberOf(row['engine_id']),
    activeTimeoutS: timeout > 0 ? timeout : DEFAULT_ACTIVE_TIMEOUT_S,
    addIdToInterface: flagOf(row['add_id_to_interface']),
  }
}

function readIpfix(row: Row): OvsIpfix {
  const other = mapOf(row['other_config'])
  return {
    targets: textsOf(row['targets']),
    sampling: numberOf(row['sampling']) ?? DEFAULT_SAMPLING,
    observationDomain: numberOf(row['obs_domain_id']) ?? 0,
    observationPoint: numberOf(row['obs_point_id']) ?? 0,
    virtualObsId: other.get('virtual_obs_id') ?? '',
    inputSampling: other.get('enable-input-sampling') !== 'false',
    outputSampling: other.get('enable-output-sampling') !== 'false',
  }
}

function readMirror(tables: OvsdbTables, row: Row): OvsMirror {
  const nameOf = (uuid: string) => textOf(tables.table('Port').get(uuid)?.['name'])
  return {
    name: textOf(row['name']),
    selectAll: flagOf(row['select_all']),
    selectSource: uuidsOf(row['select_src_port']).map(nameOf),
    selectDestination: uuidsOf(row['select_dst_port']).map(nameOf),
    outputPort: nameOf(uuidOf(row['output_port'])),
    outputVlan: numbersOf(row['output_vlan'])[0],
  }
}
