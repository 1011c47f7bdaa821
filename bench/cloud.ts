/** A cloud of any size for benches, the way Neutron and its OVS agents write it: deterministic, nothing random. */
import type { CloudModel } from '../src/identity/cloud.ts'
import type { OvsHost } from '../src/identity/sources/ovsdb/host.ts'

export interface CloudSize {
  hosts: number
  /** Ports a host. */
  ports: number
  networks: number
}

/** The n-th port: where it is and how it is addressed. */
export interface SyntheticPort {
  id: string
  device: string
  host: number
  network: number
  ofport: number
  mac: string
  address: string
}

/** As a text read from an answer is: in one piece, not the pieces that it was put together from. */
const flat = (text: string) => Buffer.from(text, 'latin1').toString('latin1')

const uuid = (kind: number, n: number) =>
  flat(
    `${n.toString(16).padStart(8, '0')}-${(kind & 0xff).toString(16).padStart(2, '0')}00-4000-8000-${n.toString(16).padStart(12, '0')}`,
  )
const hostAddress = (host: number) => flat(`10.${100 + (host >> 16)}.${(host >> 8) & 0xff}.${host & 0xff}`)

/** Ports are dealt out to hosts in turn, and to networks in turn, so a network has ports on many hosts. */
export function syntheticPort(n: number, size: CloudSize): SyntheticPort {
  const host = n % size.hosts
  const network = n % size.networks
  const index = 10 + Math.floor(n / size.networks)
  const id = uuid(1, n)
  const hex = n.toString(16).padStart(6, '0')
  return {
    id,
    device: flat(`tap${id.slice(0, 11)}`),
    host,
    network,
    ofport: 10 + Math.floor(n / size.hosts),
    mac: flat(`fa:16:3e:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}`),
    // Every network has the same range: tenants do.
    address: flat(`192.168.${index >> 8}.${index & 0xff}`),
  }
}

export function syntheticCloud(size: CloudSize): CloudModel {
  const ports = Array.from({ length: size.hosts * size.ports }, (_, n) => syntheticPort(n, size))
  const onHost: SyntheticPort[][] = Array.from({ length: size.hosts }, () => [])
  for (const port of ports) onHost[port.host]!.push(port)
  const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)
  return {
    hosts: numbers(size.hosts).map((n) => ({ name: `c${n}`, addresses: [hostAddress(n)] })),
    projects: numbers(size.networks).map((n) => ({ id: uuid(2, n), name: `project-${n}`, domain_id: 'default' })),
    networks: numbers(size.networks).map((n) => ({
      id: uuid(3, n),
      name: `net-${n}`,
      project_id: uuid(2, n),
      shared: false,
      'router:external': false,
      'provider:network_type': 'vxlan',
      'provider:physical_network': '',
      'provider:segmentation_id': 1000 + n,
      segments: [],
    })),
    segments: [],
    subnets: numbers(size.networks).map((n) => ({
      id: uuid(4, n),
      network_id: uuid(3, n),
      cidr: '192.168.0.0/16',
      gateway_ip: '192.168.0.1',
      name: '',
      project_id: uuid(2, n),
    })),
    ports: ports.map((port, n) => ({
      id: port.id,
      name: '',
      network_id: uuid(3, port.network),
      project_id: uuid(2, port.network),
      mac_address: port.mac,
      device_id: uuid(5, n),
      device_owner: 'compute:nova',
      'binding:host_id': `c${port.host}`,
      'binding:vnic_type': 'normal',
      fixed_ips: [{ subnet_id: uuid(4, port.network), ip_address: port.address }],
      allowed_address_pairs: [],
    })),
    servers: ports.map((port, n) => ({
      id: uuid(5, n),
      name: `server-${n}`,
      tenant_id: uuid(2, port.network),
      'OS-EXT-SRV-ATTR:host': `c${port.host}`,
    })),
    routers: [],
    floatingips: [],
    trunks: [],
    agents: [],
    ovs: new Map(onHost.map((own, host) => [`c${host}`, ovsHost(host, own, size)])),
  }
}

export { hostAddress }

function ovsHost(host: number, ports: readonly SyntheticPort[], size: CloudSize): OvsHost {
  const remote = (host + 1) % size.hosts
  const device = { ifIndex: 0, macInUse: '', externalIds: new Map<string, string>() }
  return {
    hostname: `c${host}`,
    ovsVersion: '3.1.0',
    externalIds: new Map(),
    bridges: [
      {
        name: 'br-int',
        datapathId: '',
        datapathType: '',
        netflow: {
          targets: ['t'],
          engineId: undefined,
          engineType: undefined,
          activeTimeoutS: 60,
          addIdToInterface: false,
        },
        sflow: undefined,
        ipfix: {
          targets: ['t'],
          sampling: 400,
          observationDomain: host,
          observationPoint: 0,
          virtualObsId: '',
          inputSampling: true,
          outputSampling: true,
        },
        mirrors: [],
        ports: [
          {
            name: 'patch-tun',
            tag: undefined,
            otherConfig: new Map(),
            interfaces: [{ ...device, name: 'patch-tun', ofport: 1, type: 'patch', options: new Map() }],
          },
          ...ports.map((port, i) => ({
            name: port.device,
            tag: i + 1,
            otherConfig: new Map([['net_uuid', uuid(3, port.network)]]),
            interfaces: [
              {
                ...device,
                name: port.device,
                ofport: port.ofport,
                ifIndex: 100 + port.ofport,
                type: '',
                options: new Map<string, string>(),
                externalIds: new Map([
                  ['iface-id', port.id],
                  ['attached-mac', port.mac],
                ]),
              },
            ],
          })),
        ],
      },
      {
        name: 'br-tun',
        datapathId: '',
        datapathType: '',
        netflow: undefined,
        sflow: undefined,
        ipfix: undefined,
        mirrors: [],
        ports: [
          {
            name: 'vxlan0',
            tag: undefined,
            otherConfig: new Map(),
            interfaces: [
              {
                ...device,
                name: 'vxlan0',
                ofport: 2,
                type: 'vxlan',
                options: new Map([
                  ['remote_ip', hostAddress(remote)],
                  ['local_ip', hostAddress(host)],
                ]),
              },
            ],
          },
        ],
      },
    ],
  }
}
