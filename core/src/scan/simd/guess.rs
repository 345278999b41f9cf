//! Going on from where something is expected, before it has been found.
//!
//! A search in vectors ends some 20 cycles after it began, and what is behind the place that it finds is looked at only then:
//! from one string to the next this chain is what a line costs. Where the place is where it was expected, a *branch* on that lets
//! the machine guess so and go on at once; the comparison is checked later. It has to be kept from the compiler that both
//! sides of the branch are equal, or it makes one of them, and waits.

/// `found`; and where that is `from + length`, what is computed from it need not wait until it has been found.
#[inline(always)]
pub fn as_guessed(found: usize, from: usize, length: usize) -> usize {
    // Else the search is made to count for the comparison in every step.
    let found = hidden(found);
    if found == from + length {
        hidden(hidden(from) + length)
    } else {
        found
    }
}

/// The value, of which the compiler does not know what it is: it computes nothing from it beforehand, takes it for no other, and
/// makes no choice without a branch between it and another, since for the compiler something happens here.
#[inline(always)]
pub fn hidden(value: usize) -> usize {
    #[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
    {
        let mut value = value;
        // SAFETY: there is no instruction in it.
        unsafe {
            std::arch::asm!("/* {0} */", inout(reg) value, options(nomem, nostack, preserves_flags));
        }
        value
    }
    #[cfg(not(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_changes_nothing() {
        const MOST: usize = if cfg!(miri) { 8 } else { 50 };
        for found in 0..MOST {
            for from in 0..MOST {
                for length in 0..MOST {
                    assert_eq!(as_guessed(found, from, length), found);
                }
            }
        }
    }
}
