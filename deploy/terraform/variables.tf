variable "name" {
  description = "Name of the group of nodes, and what everything made here is called."
  type        = string
  default     = "forebay"
}

variable "vpc_id" {
  description = "The VPC the nodes are in, with DNS support and DNS host names on."
  type        = string
}

variable "zones" {
  description = "Where the nodes are, by availability zone: a new private subnet for each, inside the VPC."
  type        = map(object({ cidr = string }))

  validation {
    condition     = length(var.zones) == 3 || length(var.zones) == 5
    error_message = "Three zones or five: with an even number, or with one or two, the loss of a zone may be the loss of the majority."
  }
}

variable "instance_type" {
  description = "Reads are bound by cores, the caches by memory. Not of a kind whose CPU is taken away when credits run out: that elects for nothing."
  type        = string
  default     = "m7i.large"
}

variable "cache_bytes" {
  description = "Memory of both caches. Half the instance's memory leaves room for the storage engine, requests and the page cache."
  type        = string
  default     = "4GiB"
}

variable "data_gigabytes" {
  description = "Size of each node's volume: twice the data, and 5 GiB for the log and a snapshot."
  type        = number
  default     = 50
}

variable "ami_id" {
  description = "An image of Debian 12 or newer, x86_64, with cloud-init and the AWS CLI: the nodes have no way to the internet to fetch either."
  type        = string
}

variable "release" {
  description = "The binary and the systemd unit's files, as a .tar.gz in S3 (outputs.tf says how it is made), and its SHA-256."
  type = object({
    bucket = string
    key    = string
    sha256 = string
  })
}

variable "client_security_group_ids" {
  description = "Security groups of what may speak HTTP, DAX and gRPC to the nodes."
  type        = set(string)
}

variable "monitoring_security_group_ids" {
  description = "Security groups of what may reach the admin port, which asks for no credentials."
  type        = set(string)
  default     = []
}
