"""What people read and look at beside the README, and how its pictures are made."""
