"""What a message to a group costs, and how long until the last member has it."""
