/*
 * Real numbers to any precision, on BigInt.
 *
 * A number is {mantissa, exponent} and stands for mantissa * 2 ** exponent; both are BigInt, so that
 * even exp(-1e308) has a place. A number that is infinite is JavaScript's own Infinity or -Infinity.
 * `bits` is the length to which mantissas are rounded. No function here subtracts two numbers that
 * are nearly equal, so each result is right to all but its last few bits.
 */
"use strict";

const Precise = (() => {
  const ZERO = { mantissa: 0n, exponent: 0n };
  const ONE = { mantissa: 1n, exponent: 0n };

  const magnitude = (n) => (n < 0n ? -n : n);
  const bitLength = (n) => (n === 0n ? 0 : magnitude(n).toString(16).length * 4
    - Math.clz32(parseInt(magnitude(n).toString(16)[0], 16)) + 28);
  const shiftLeft = (n, places) => (places >= 0n ? n << places : n >> -places);

  function floorDivide(n, divisor) {
    const quotient = n / divisor;
    return n % divisor !== 0n && n < 0n !== divisor < 0n ? quotient - 1n : quotient;
  }

  /** Round a mantissa to so many bits. */
  function rounded(mantissa, exponent, bits) {
    if (mantissa === 0n) return ZERO;
    const surplus = BigInt(bitLength(mantissa) - bits);
    if (surplus <= 0n) return { mantissa, exponent };
    return { mantissa: mantissa >> surplus, exponent: exponent + surplus };
  }

  /** The quotient of two BigInts. */
  function ratio(numerator, denominator, bits) {
    const places = BigInt(Math.max(0, bits + bitLength(denominator) - bitLength(numerator) + 1));
    return rounded((numerator << places) / denominator, -places, bits);
  }

  const negate = (a) => ({ mantissa: -a.mantissa, exponent: a.exponent });

  const multiply = (a, b, bits) =>
    rounded(a.mantissa * b.mantissa, a.exponent + b.exponent, bits);

  function divide(a, b, bits) {
    const quotient = ratio(a.mantissa, b.mantissa, bits);
    return rounded(quotient.mantissa, quotient.exponent + a.exponent - b.exponent, bits);
  }

  /** The exponent of the leading bit: 2 ** leading(a) <= |a| < 2 ** (leading(a) + 1). */
  const leading = (a) => a.exponent + BigInt(bitLength(a.mantissa) - 1);

  function add(a, b, bits) {
    if (a.mantissa === 0n) return b;
    if (b.mantissa === 0n) return a;
    if (leading(a) < leading(b)) return add(b, a, bits);
    if (leading(a) - leading(b) > BigInt(2 * bits)) return a; // b is below the last bit of a
    const exponent = a.exponent < b.exponent ? a.exponent : b.exponent;
    const aligned = (x) => x.mantissa << (x.exponent - exponent);
    return rounded(aligned(a) + aligned(b), exponent, bits);
  }

  const sum = (numbers, bits) => numbers.reduce((total, a) => add(total, a, bits), ZERO);

  /** atanh(1/n) times 2 ** places, for an integer n. */
  function inverseTanh(n, places) {
    let power = (1n << BigInt(places)) / n;
    let total = 0n;
    for (let k = 1n; power > 0n; k += 2n) {
      total += power / k;
      power /= n * n;
    }
    return total;
  }

  let knownLogarithm = { places: 0, value: 0n };

  /** log(2) times 2 ** places, by a formula of Machin's kind. */
  function logarithmOf2(places) {
    if (knownLogarithm.places < places) {
      const guarded = places + 32;
      const value = 18n * inverseTanh(26n, guarded) - 2n * inverseTanh(4801n, guarded)
        + 8n * inverseTanh(8749n, guarded);
      knownLogarithm = { places: guarded, value };
    }
    return knownLogarithm.value >> BigInt(knownLogarithm.places - places);
  }

  /** exp(numerator / denominator): 2 ** k exp(r) with r from 0 to log(2), by Taylor's series. */
  function exponential(numerator, denominator, bits) {
    const wholeBits = Math.max(0, bitLength(numerator) - bitLength(denominator) + 1);
    const places = bits + wholeBits + 8;
    const x = floorDivide(numerator << BigInt(places), denominator);
    const log2 = logarithmOf2(places);
    const k = floorDivide(x, log2);
    const r = (x - k * log2) >> BigInt(wholeBits);
    const one = BigInt(bits + 8);
    let term = 1n << one;
    let total = 0n;
    for (let n = 1n; term > 0n; n += 1n) {
      total += term;
      term = ((term * r) >> one) / n;
    }
    return rounded(total, k - one, bits);
  }

  /** log(1 + a) for a from 0 to 1: twice atanh(a / (2 + a)), by its series. */
  function logarithmNearOne(a, bits) {
    const y = divide(a, add({ mantissa: 2n, exponent: 0n }, a, bits), bits);
    const square = multiply(y, y, bits);
    const places = BigInt(bits + 8);
    const fixed = shiftLeft(square.mantissa, square.exponent + places);
    let power = 1n << places;
    let total = 0n;
    for (let k = 1n; power > 0n; k += 2n) {
      total += power / k;
      power = (power * fixed) >> places;
    }
    return multiply(y, { mantissa: 2n * total, exponent: -places }, bits);
  }

  /** log(1 + a) for a >= 0, with all its digits where a is tiny. */
  function logarithmOfOnePlus(a, bits) {
    const total = add(ONE, a, bits);
    if (leading(total) === 0n) return logarithmNearOne(a, bits);
    return logarithm(total, bits);
  }

  /** log(a) for a > 0. */
  function logarithm(a, bits) {
    const k = leading(a);
    const above = add({ mantissa: a.mantissa, exponent: a.exponent - k }, negate(ONE), bits);
    const whole = rounded(k * logarithmOf2(bits + 8), BigInt(-bits - 8), bits);
    return add(whole, above.mantissa === 0n ? ZERO : logarithmNearOne(above, bits), bits);
  }

  /** The nearest double. */
  function toNumber(a) {
    if (typeof a === "number") return a;
    const { mantissa, exponent } = rounded(a.mantissa, a.exponent, 53);
    return exponent < -1100n ? 0 : Number(mantissa) * 2 ** Number(exponent);
  }

  /** The decimal digits of a positive quotient of BigInts, and the exponent of the first. */
  function decimalDigits(numerator, denominator, digits) {
    let exponent = Math.floor((bitLength(numerator) - bitLength(denominator)) * Math.log10(2));
    for (;;) {
      const places = BigInt(digits - 1 - exponent);
      const top = places > 0n ? numerator * 10n ** places : numerator;
      const bottom = places < 0n ? denominator * 10n ** -places : denominator;
      if (top < bottom * 10n ** BigInt(digits - 1)) exponent -= 1;
      else if (top >= bottom * 10n ** BigInt(digits)) exponent += 1;
      else {
        const text = String((2n * top + bottom) / (2n * bottom)); // half is rounded up
        return text.length > digits ? ["1".padEnd(digits, "0"), exponent + 1] : [text, exponent];
      }
    }
  }

  /** Digits in ordinary notation where that is short, in scientific notation elsewhere. */
  function written([digits, exponent]) {
    if (exponent >= digits.length || exponent < -5) {
      return digits[0] + (digits.length > 1 ? "." + digits.slice(1) : "") + "e" + exponent;
    }
    if (exponent < 0) return "0." + "0".repeat(-exponent - 1) + digits;
    const [whole, rest] = [digits.slice(0, exponent + 1), digits.slice(exponent + 1)];
    return rest ? whole + "." + rest : whole;
  }

  /** A quotient of BigInts, correctly rounded to so many significant digits. */
  function formatRatio(numerator, denominator, digits) {
    if (numerator === 0n) return "0";
    const sign = numerator < 0n ? "-" : "";
    return sign + written(decimalDigits(magnitude(numerator), denominator, digits));
  }

  /** [text, certain]: whether all numbers within the error of `a` round to the same digits. */
  function attempt(a, digits, bits) {
    const [low, high] = [-1n, 1n].map((step) => {
      const guarded = rounded(a.mantissa << BigInt(bits), a.exponent - BigInt(bits), bits);
      const mantissa = guarded.mantissa + step * (1n << 24n);
      return guarded.exponent < 0n
        ? decimalDigits(mantissa, 1n << -guarded.exponent, digits)
        : decimalDigits(mantissa << guarded.exponent, 1n, digits);
    });
    const certain = low[0] === high[0] && low[1] === high[1];
    return [certain ? written(low) : undefined, certain];
  }

  const FAR = 33_000n; // beyond 2 ** 33000, about 10 ** 9934, only the exponent is written

  /**
   * A number to so many significant digits, every one of them right.
   *
   * `at(bits)` returns the number with mantissas of so many bits. It is called with more of them
   * until the error no longer touches the rounding; a number that lies halfway between two
   * decimals, as 0.125 between 0.12 and 0.13, is rounded as it stands in the end.
   */
  function format(at, digits) {
    const first = Math.ceil(digits * Math.log2(10)) + 64;
    for (let bits = first; ; bits *= 2) {
      const value = at(bits);
      if (typeof value === "number") return value > 0 ? "∞" : value < 0 ? "-∞" : "NaN";
      if (value.mantissa === 0n) return "0";
      const sign = value.mantissa < 0n ? "-" : "";
      const positive = { mantissa: magnitude(value.mantissa), exponent: value.exponent };
      const size = leading(positive);
      if (magnitude(size) > FAR) {
        const tenth = (precision) => {
          const exact = at(precision);
          const absolute = { mantissa: magnitude(exact.mantissa), exponent: exact.exponent };
          const ten = logarithm({ mantissa: 10n, exponent: 0n }, precision);
          return divide(logarithm(absolute, precision), ten, precision);
        };
        return `${sign}10^(${format(tenth, digits)})`;
      }
      const [text, certain] = attempt(positive, digits, bits);
      if (certain) return sign + text;
      if (bits > 3 * first) {
        const { mantissa, exponent } = positive;
        return sign + (exponent < 0n
          ? formatRatio(mantissa, 1n << -exponent, digits)
          : formatRatio(mantissa << exponent, 1n, digits));
      }
    }
  }

  return {
    ZERO, ONE, add, bitLength, divide, exponential, format, formatRatio, logarithm,
    logarithmOfOnePlus, multiply, negate, ratio, sum, toNumber,
  };
})();

if (typeof module !== "undefined") module.exports = Precise;
