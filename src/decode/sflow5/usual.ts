/**
 * The usual flow sample, nearly all there are, as source of a generated decoder: compact form, sampled Ethernet header without tags of which
 * only the FCS was taken off, IPv4 without options or IPv6 without extensions, TCP, UDP or ICMP, and at most a switch record beside it.
 *
 *   sample        data format u32 = 1 | length u32 | sequence | source: class 8 bits, index 24 | rate | pool | drops | input | output |
 *                 count = 1 or 2 | records
 *   records       (extended_switch: format = 1001 | length = 16 | src_vlan | src_priority | dst_vlan | dst_priority) |
 *                 sampled_header: format = 1 | length | protocol = 1 | frame_length | stripped = 4 | length of header | header
 *
 * The general way (flow-sample.ts) is kept for all else, and is what tests compare this with. Measured: half of what the same took as a
 * function that looks its columns up.
 */
import type { BatchLayout } from '../../schema/batch.ts'
import type { ColumnName } from '../../schema/columns.ts'
import { CORRECTIONS, enumCodes } from '../../schema/enums.ts'
import { HEAD } from '../head.ts'
import { cell, headWord, num, type RecordSource } from '../source.ts'

/** Bytes of a sample that are read before anything is known of it: up to the length of the sampled header's record, and its 16. */
const LEAST_BYTES = 64
const IPV4_MAPPED = 0xffff_0000
/** Octets of a transport header that are read. */
const TCP_BYTES = 14
const UDP_BYTES = 4
const ICMP_BYTES = 2

const PROTOCOL = enumCodes('export_protocol').sflow5
const KIND = enumCodes('output_kind')
const DIRECTION = enumCodes('flow_direction')

/**
 * Samples of one source whose sequence numbers follow each other: it stops before one that is not usual or does not follow. Nothing of a
 * sample is written before it is known to be usual.
 */
export function usualSource(layout: BatchLayout): RecordSource {
  const at = (column: ColumnName, lane = 0) => cell(layout, column, lane)
  return {
    minLength: LEAST_BYTES,
    own: { words: [], statement: `const ${AGENT.map((name, i) => `${name}=h[${num(HEAD.agent + i)}]`).join(',')}` },
    statements: [
      ...recognise(),
      ...writeSample(at),
      ...writePacket(at),
      ...writeCounts(at),
      ...writeHead(at),
      'p=next',
    ],
  }
}

type At = (column: ColumnName, lane?: number) => string

const AGENT = ['a0', 'a1', 'a2', 'a3']
const LEAVE = 'break records'

/** Leaves where the sample is not usual; what follows knows its parts as constants. */
function recognise(): string[] {
  return [
    // The sample: its content begins at `q`. A length that goes on past the datagram, or is above 2^31, is not usual.
    'q=p+8|0;length=v.getInt32(p+4|0)',
    `if(v.getInt32(p)!==1||length<56||length>(end-q|0))${LEAVE}`,
    'const next=q+(length+3&-4)|0,last=q+length|0,source=v.getInt32(q+4|0)',
    `if(n===0){seen=v.getInt32(q);s=source}else if(source!==s||v.getInt32(q)!==(seen+n|0))${LEAVE}`,
    // Its records: `header` is the content of the sampled header's, `vlan` that of the switch record.
    'let header=q+40|0,vlan=0',
    't=v.getInt32(q+28|0)',
    `if(t===2&&v.getInt32(header-8|0)===1001&&v.getInt32(header-4|0)===16){vlan=header;header=header+24|0;if((last-header|0)<16)${LEAVE}}` +
      `else if(t!==1)${LEAVE}`,
    'const size=v.getInt32(header-4|0)',
    `if(v.getInt32(header-8|0)!==1||size<16||size>(last-header|0))${LEAVE}`,
    // The frame: `there` octets of it behind the Ethernet header.
    'const frame=header+16|0,ip=frame+14|0,layer2=v.getInt32(header+4|0)-4|0',
    't=v.getInt32(header+12|0)',
    'const there=(t<0||t>(size-16|0)?size-16|0:t)-14|0',
    `if(v.getInt32(header)!==1||v.getInt32(header+8|0)!==4||layer2<0||there<20)${LEAVE}`,
    // The packet.
    'const type=v.getUint16(frame+12|0),first=v.getInt32(ip)',
    'let layer3=0,protocol=0,ttl=0,transport=20',
    'if(type===2048){' +
      `if((first>>>24)!==69||(v.getUint16(ip+6|0)&8191)!==0)${LEAVE};` +
      'layer3=first&65535;t=v.getUint16(ip+8|0);ttl=t>>>8;protocol=t&255' +
      '}else if(type===34525&&there>=40){' +
      `if((first>>>28)!==6)${LEAVE};` +
      'layer3=v.getUint16(ip+4|0)+40|0;t=v.getUint16(ip+6|0);protocol=t>>>8;ttl=t&255;transport=40' +
      `}else ${LEAVE}`,
    // Less than its headers, or more than the frame: the general way knows what to do.
    `t=protocol===6?${num(TCP_BYTES)}:protocol===17?${num(UDP_BYTES)}:protocol===1||protocol===58?${num(ICMP_BYTES)}:0`,
    `if(t===0||(t+transport|0)>there||(t+transport|0)>layer3||layer3>(layer2-14|0))${LEAVE}`,
  ]
}

/** Interfaces and direction, see interfaces.ts. */
function writeSample(at: At): string[] {
  return [
    'const input=v.getInt32(q+20|0),output=v.getInt32(q+24|0)',
    `${at('observation_point')}=source;if((input>>>30)===0)${at('in_if')}=input`,
    't=output&1073741823',
    `switch(output>>>30){case 0:if(t!==0){${at('output_kind')}=t===1073741823?${num(KIND.local)}:${num(KIND.interface)};${at('out_if')}=t}break;` +
      `case 1:${at('output_kind')}=${num(KIND.none)};break;` +
      `case 2:if(t===1)${at('output_kind')}=${num(KIND.unknown_single)};else{${at('output_kind')}=${num(KIND.multiple)};${at('out_if')}=t}}`,
    't=source>>>24',
    `${at('flow_direction')}=t===2?${num(DIRECTION.ingress)}:t!==0||source===0?${num(DIRECTION.unknown)}:` +
      `source===input?${num(DIRECTION.ingress)}:source===output?${num(DIRECTION.egress)}:${num(DIRECTION.unknown)}`,
  ]
}

function writePacket(at: At): string[] {
  const address = (column: ColumnName, offset: number) =>
    [0, 1, 2, 3].map((lane) => `${at(column, lane)}=v.getInt32(ip+${num(offset + lane * 4)}|0,true)`).join(';')
  const mapped = (column: ColumnName, offset: number) =>
    `${at(column, 2)}=${num(IPV4_MAPPED)};${at(column, 3)}=v.getInt32(ip+${num(offset)}|0,true)`
  return [
    `${at('dst_mac')}=v.getInt32(frame+2|0);${at('dst_mac', 1)}=v.getUint16(frame)`,
    `${at('src_mac')}=v.getInt32(frame+8|0);${at('src_mac', 1)}=v.getUint16(frame+6|0)`,
    `${at('ether_type')}=type;${at('ttl')}=ttl;${at('ip_protocol')}=protocol`,
    `if(type===2048){${at('ip_version')}=4;${at('tos')}=first>>>16;${mapped('src_addr', 12)};${mapped('dst_addr', 16)}}else{` +
      `${at('ip_version')}=6;${at('tos')}=first>>>20;${at('flow_label')}=first&1048575;${address('src_addr', 8)};${address('dst_addr', 24)}}`,
    't=ip+transport|0',
    'if(protocol===6||protocol===17){' +
      `${at('src_l4_port')}=v.getUint16(t);${at('dst_l4_port')}=v.getUint16(t+2|0);` +
      `if(protocol===6)${at('tcp_flags')}=v.getUint16(t+12|0)&4095` +
      `}else{${at('icmp_type')}=v.getUint8(t);${at('icmp_code')}=v.getUint8(t+1|0)}`,
    `if(vlan!==0){t=v.getInt32(vlan);if((t&-4096)===0)${at('vlan')}=t}`,
  ]
}

/** Horvitz–Thompson, as `FlowSampleDecoder.counts` says it. */
function writeCounts(at: At): string[] {
  return [
    'const rate=v.getUint32(q+8|0),factor=rate>1?rate:1,octets=layer3*factor,octets2=layer2*factor',
    `${at('sampling_rate')}=rate;${at('packets')}=factor;${at('bytes')}=octets;${at('l2_bytes')}=octets2`,
    `if(octets2>4294967295){${at('bytes', 1)}=octets/4294967296;${at('l2_bytes', 1)}=octets2/4294967296}`,
    `${at('corrections')}=${num(CORRECTIONS.no_fcs.bit)}`,
    `if(factor>1){const spread=factor*(factor-1);${at('samples')}=1;` +
      `${at('bytes_variance')}=spread*layer3*layer3;${at('l2_bytes_variance')}=spread*layer2*layer2}`,
  ]
}

/** What is the same in all rows of a datagram. */
function writeHead(at: At): string[] {
  const word = (index: number) => headWord(index)
  const lanes = (column: ColumnName, words: readonly string[], of: readonly number[]) =>
    of.map((lane) => `${at(column, lane)}=${words[lane]!}`).join(';')
  const exporter = [0, 1, 2, 3].map((lane) => word(HEAD.exporter + lane))
  const times = (['flow_start', 'flow_end', 'time_received'] as const).map(
    (column) => `${at(column)}=${word(HEAD.receivedLow)};${at(column, 1)}=${word(HEAD.receivedHigh)}`,
  )
  return [
    times.join(';'),
    `${at('export_protocol')}=${num(PROTOCOL)};${at('observation_domain')}=${word(HEAD.domain)};${at('sequence')}=${word(HEAD.sequence)}`,
    `${lanes('exporter', exporter, [2, 3])};${lanes('agent', AGENT, [2, 3])}`,
    // Zero already where both are IPv4.
    `if((${exporter[0]!}|${exporter[1]!}|a0|a1)!==0){${lanes('exporter', exporter, [0, 1])};${lanes('agent', AGENT, [0, 1])}}`,
  ]
}
