"""What people say of answers: stars by criterion, agreement between raters, strengths from preferences."""
