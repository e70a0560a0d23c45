/** What the compiler calculates. */
import { expectType } from "tsd"
import type {
  Above,
  Count,
  FromHex,
  Less,
  Next,
  Plus,
  Ratio,
  RoundedUp,
  Times,
  ToHex,
  Zeros
} from "../../src/types/Arithmetic.ts"

declare const calculated: <T>() => T

// Hexadecimal digits and back.
expectType<"">(calculated<FromHex<"0">>())
expectType<"0011">(calculated<FromHex<"c">>())
expectType<"0011">(calculated<FromHex<"00c">>())
expectType<"000000000001">(calculated<FromHex<"800">>())
expectType<"0x800">(calculated<ToHex<FromHex<"800">>>())
expectType<"0x7fffffffffff">(calculated<ToHex<FromHex<"7fffffffffff">>>())
expectType<"0x0">(calculated<ToHex<"">>())

// One more, with every carry.
expectType<"1">(calculated<Next<"">>())
expectType<"01">(calculated<Next<"1">>())
expectType<"0001">(calculated<Next<"111">>())
expectType<"101">(calculated<Next<"001">>())

// Multiples of powers of 2.
expectType<"0000">(calculated<Zeros<4>>())
expectType<"01">(calculated<Above<"11101", "000">>())
expectType<"">(calculated<Above<"11", "000">>())
expectType<"1">(calculated<RoundedUp<"1", Zeros<12>>>())
expectType<"">(calculated<RoundedUp<"", Zeros<12>>>())
expectType<"0x2000">(calculated<ToHex<Times<RoundedUp<FromHex<"1001">, Zeros<12>>, Zeros<12>>>>())
expectType<"0x1000">(calculated<ToHex<Times<RoundedUp<FromHex<"1000">, Zeros<12>>, Zeros<12>>>>())
expectType<"0001">(calculated<Ratio<Zeros<15>, Zeros<12>>>())
expectType<"1">(calculated<Ratio<Zeros<12>, Zeros<12>>>())
expectType<undefined>(calculated<Ratio<Zeros<11>, Zeros<12>>>())

expectType<12>(calculated<Count<Zeros<12>>>())

// Counting to a limit, and not beyond.
expectType<"0001">(calculated<Plus<"101", 3, "0001">>())
expectType<undefined>(calculated<Plus<"101", 4, "0001">>())
expectType<"000000001">(calculated<Plus<"", 256, "000000001">>())
expectType<undefined>(calculated<Plus<"", 257, "000000001">>())

// Which is less.
expectType<true>(calculated<Less<99, 100>>())
expectType<true>(calculated<Less<0, 1>>())
expectType<true>(calculated<Less<199, 201>>())
expectType<true>(calculated<Less<5000, 10000>>())
expectType<false>(calculated<Less<100, 100>>())
expectType<false>(calculated<Less<100, 99>>())
expectType<false>(calculated<Less<201, 199>>())
expectType<false>(calculated<Less<10000, 5000>>())
