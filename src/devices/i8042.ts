/**
 * i8042: the keyboard controller, with its outputs that are no keyboard's: address line 20 and the processor's reset.
 *
 * Intel 8042 as in the IBM Personal Computer AT Technical Reference, "Keyboard Controller": status register, commands, input and
 * output port; and the keyboard of the same book. There is no auxiliary device.
 */
import type { Target, Wire } from "./Wires.ts"

/** Status register, port 64H. */
const STATUS = { outputFull: 1, system: 4, command: 8, notInhibited: 0x10 } as const

/** Command byte. */
const COMMAND_BYTE = {
  interrupt: 1,
  system: 4,
  disableKeyboard: 0x10,
  disableAuxiliary: 0x20,
  translate: 0x40
} as const

/** Output port. Bits 4 and 5 are the buffers' full signals. */
const OUTPUT_PORT = { reset: 1, A20: 2 } as const

// biome-ignore format: a table
const command = {
  readByte:           0x20, // to 3FH
  writeByte:          0x60, // to 7FH
  disableAuxiliary:   0xa7,
  enableAuxiliary:    0xa8,
  testAuxiliary:      0xa9,
  selfTest:           0xaa,
  testInterface:      0xab,
  disableKeyboard:    0xad,
  enableKeyboard:     0xae,
  readInputPort:      0xc0,
  readOutputPort:     0xd0,
  writeOutputPort:    0xd1,
  writeKeyboardData:  0xd2,
  writeAuxiliaryData: 0xd3,
  writeToAuxiliary:   0xd4,
  disableA20:         0xdd,
  enableA20:          0xdf,
  readTestInputs:     0xe0,
  pulse:              0xf0  // to FFH: bits 3 to 0 say which bits of the output port are not pulsed low
} as const

/** What the keyboard is asked. */
// biome-ignore format: a table
const keyboard = {
  setLeds: 0xed, echo: 0xee, scanCodeSet: 0xf0, identify: 0xf2, setRate: 0xf3, enable: 0xf4, disable: 0xf5, setDefault: 0xf6,
  resend: 0xfe, reset: 0xff
} as const

const reply = { acknowledge: 0xfa, resend: 0xfe, testPassed: 0xaa, echo: 0xee } as const

export interface Outputs {
  /** IRQ 1: the output buffer is full. */
  readonly irq: Wire
  readonly a20: (isOn: boolean) => void
  readonly reset: () => void
}

/** As firmware leaves them: tested, translating, interrupting; A20 on and no reset. */
const firmwareCommandByte = COMMAND_BYTE.system | COMMAND_BYTE.translate | COMMAND_BYTE.interrupt
const idleOutputPort = 0xcf

/** So many bytes wait in the keyboard; more are lost, as the keyboard's overrun. */
const keyboardBuffer = 16

/** The controller with its keyboard. Bytes take no time on their way. */
export class I8042 implements Target {
  private readonly outputs: Outputs
  private commandByte: number = firmwareCommandByte
  private readonly memory = new Uint8Array(32)
  private outputPort: number = idleOutputPort
  private isFromCommand = false
  /** The command whose byte is awaited at port 60H. */
  private awaiting: number | undefined
  /** What the output buffer holds; what the keyboard sends waits until it has been read. */
  private buffer: number | undefined
  private readonly queue: number[] = []
  private lastSent = 0
  /** The keyboard's command whose byte is awaited. */
  private keyboardAwaiting: number | undefined
  private isScanning = true
  private scanCodeSet = 2
  /** A break code's prefix has come: the translated code that follows has its highest bit set. */
  private isBreak = false

  constructor(outputs: Outputs) {
    this.outputs = outputs
  }

  reset(): void {
    this.commandByte = firmwareCommandByte
    this.memory.fill(0)
    this.outputPort = idleOutputPort
    this.isFromCommand = false
    this.awaiting = undefined
    this.buffer = undefined
    this.queue.length = 0
    this.keyboardAwaiting = undefined
    this.isScanning = true
    this.scanCodeSet = 2
    this.isBreak = false
    this.update()
  }

  /** Port 60H is offset 0, port 64H offset 4. */
  read(offset: number): number {
    return offset === 4 ? this.status() : this.readData()
  }

  write(offset: number, _width: number, value: number): void {
    this.isFromCommand = offset === 4
    if (offset === 4) this.perform(value & 0xff)
    else if (this.awaiting !== undefined) this.take(this.awaiting, value & 0xff)
    else {
      // A byte for the keyboard enables its interface.
      this.commandByte &= ~COMMAND_BYTE.disableKeyboard
      this.toKeyboard(value & 0xff)
    }
    this.update()
  }

  /** Keys are pressed and released: codes of scan code set 2, as the keyboard sends them. */
  press(codes: Iterable<number>): void {
    for (const code of codes) if (this.isScanning && this.queue.length < keyboardBuffer) this.queue.push(code)
    this.update()
  }

  /** Address line 20 is on. */
  get fastA20(): boolean {
    return (this.outputPort & OUTPUT_PORT.A20) !== 0
  }

  /** Address line 20, as system control port A drives it: the output port says the same. */
  driveA20(isOn: boolean): void {
    this.drive(isOn ? this.outputPort | OUTPUT_PORT.A20 : this.outputPort & ~OUTPUT_PORT.A20)
  }

  // ---- the controller

  private status(): number {
    return (
      (this.buffer === undefined ? 0 : STATUS.outputFull) |
      (this.commandByte & STATUS.system) |
      (this.isFromCommand ? STATUS.command : 0) |
      STATUS.notInhibited
    )
  }

  private readData(): number {
    const value = this.buffer ?? this.lastSent
    this.lastSent = value
    this.buffer = undefined
    // Each byte is an edge of its own.
    this.outputs.irq(false)
    this.update()
    return value
  }

  private perform(code: number): void {
    this.awaiting = undefined
    if (code >= command.pulse) this.pulse(code)
    else if (code >= command.readByte && code < command.readByte + 32) this.answer(this.readMemory(code & 0x1f))
    else if (code >= command.writeByte && code < command.writeByte + 32) this.awaiting = code
    else this.performNamed(code)
  }

  private performNamed(code: number): void {
    switch (code) {
      case command.disableKeyboard:
        this.commandByte |= COMMAND_BYTE.disableKeyboard
        break
      case command.enableKeyboard:
        this.commandByte &= ~COMMAND_BYTE.disableKeyboard
        break
      case command.disableAuxiliary:
        this.commandByte |= COMMAND_BYTE.disableAuxiliary
        break
      case command.enableAuxiliary:
        this.commandByte &= ~COMMAND_BYTE.disableAuxiliary
        break
      case command.selfTest:
        this.commandByte |= COMMAND_BYTE.system
        this.answer(0x55)
        break
      case command.testInterface:
      case command.readTestInputs:
        this.answer(0)
        break
      case command.testAuxiliary:
        // "Clock line stuck low": there is nothing at the other end.
        this.answer(1)
        break
      case command.readInputPort:
        this.answer(0x80)
        break
      case command.readOutputPort:
        this.answer(this.outputPort | (this.buffer === undefined ? 0 : 0x10))
        break
      case command.writeOutputPort:
      case command.writeKeyboardData:
      case command.writeAuxiliaryData:
      case command.writeToAuxiliary:
        this.awaiting = code
        break
      case command.disableA20:
        this.drive(this.outputPort & ~OUTPUT_PORT.A20)
        break
      case command.enableA20:
        this.drive(this.outputPort | OUTPUT_PORT.A20)
        break
    }
  }

  /** The byte of a command of two bytes. One for the auxiliary device reaches nobody. */
  private take(code: number, value: number): void {
    this.awaiting = undefined
    if (code === command.writeOutputPort) this.drive(value)
    else if (code === command.writeKeyboardData) this.answer(value)
    else if (code === command.writeByte) this.commandByte = value
    else if (code < command.writeByte + 32) this.memory[code & 0x1f] = value
  }

  private readMemory(at: number): number {
    return at === 0 ? this.commandByte : this.memory[at]!
  }

  private drive(port: number): void {
    this.outputPort = port & 0xcf
    this.outputs.a20((port & OUTPUT_PORT.A20) !== 0)
    if ((port & OUTPUT_PORT.reset) === 0) this.outputs.reset()
  }

  /** Bits are low for some 6 microseconds: bit 0 is the processor's reset. */
  private pulse(code: number): void {
    if ((code & OUTPUT_PORT.reset) === 0) this.outputs.reset()
  }

  private answer(value: number): void {
    this.buffer = value
  }

  /** The keyboard's next byte goes into an empty output buffer; IRQ 1 says that it is full. */
  private update(): void {
    while (
      this.buffer === undefined &&
      this.queue.length > 0 &&
      (this.commandByte & COMMAND_BYTE.disableKeyboard) === 0
    ) {
      const code = this.queue.shift()!
      this.buffer = this.commandByte & COMMAND_BYTE.translate ? this.translated(code) : code
    }
    this.outputs.irq(this.buffer !== undefined && (this.commandByte & COMMAND_BYTE.interrupt) !== 0)
  }

  /** Scan codes of set 2 become those of set 1. Undefined: the prefix of a break code is part of what follows. */
  private translated(code: number): number | undefined {
    if (code === breakPrefix) {
      this.isBreak = true
      return undefined
    }
    const translated = setOne[code] ?? code
    const result = this.isBreak ? translated | 0x80 : translated
    this.isBreak = false
    return result
  }

  // ---- the keyboard

  private toKeyboard(value: number): void {
    const awaiting = this.keyboardAwaiting
    this.keyboardAwaiting = undefined
    if (awaiting !== undefined && value < keyboard.setLeds) {
      this.send(reply.acknowledge)
      if (awaiting !== keyboard.scanCodeSet) return
      if (value === 0) this.send(this.scanCodeSet)
      else this.scanCodeSet = value
    } else this.ask(value)
  }

  private ask(code: number): void {
    switch (code) {
      case keyboard.echo:
        this.send(reply.echo)
        break
      case keyboard.identify:
        this.send(reply.acknowledge, 0xab, 0x83)
        break
      case keyboard.setLeds:
      case keyboard.scanCodeSet:
      case keyboard.setRate:
        this.keyboardAwaiting = code
        this.send(reply.acknowledge)
        break
      case keyboard.enable:
      case keyboard.setDefault:
        this.isScanning = true
        this.send(reply.acknowledge)
        break
      case keyboard.disable:
        this.isScanning = false
        this.send(reply.acknowledge)
        break
      case keyboard.reset:
        this.isScanning = true
        this.scanCodeSet = 2
        this.send(reply.acknowledge, reply.testPassed)
        break
      case keyboard.resend:
        this.send(this.lastSent)
        break
      default:
        this.send(reply.resend)
    }
  }

  private send(...bytes: readonly number[]): void {
    this.queue.push(...bytes)
  }
}

const breakPrefix = 0xf0

/** The controller's translation, by code of set 2. Codes above stay as they are, but for 83H, which is F7. */
// biome-ignore format: in sixteens
const setOne: readonly number[] = [
  0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
  0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
  0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
  0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
  0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
  0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
  0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
  0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
  0x80, 0x81, 0x82, 0x41
]
